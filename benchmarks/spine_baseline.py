"""Business minutes as dbt_zendesk finds them: spans cut at the weeks, each piece joined to the hours of the week.

Written for the benchmark after the public package (releases 1.5 and 1.6; its models ``int_zendesk__schedule_spine``,
``int_zendesk__ticket_work_time_business`` and its like for replies and resolutions, which share one pattern), with its
structure and its conditions on PostgreSQL:

- Minutes count from Sunday, midnight UTC; a schedule's hours are moved by its zone's offset.
- A schedule has versions: one between two weeks with holidays, and one for each such week, without the hours that a
  holiday touches. (The package makes them by a long chain of unions; here a few lines give the same rows. Both sides'
  calendars are prepared before the clock runs.)
- A span gets a row for each of its weeks, 52 at most, the package's default; these rows are joined to the versions on
  the schedule, the minutes and the days, and the minutes summed up.

The package itself can't be run here: it reads Zendesk's tables, and its own packages come from a hub. It knows no
make-up workdays (调休): an extra workday can't be entered as a holiday.
"""

from __future__ import annotations

WEEKS = 52  # var max_ticket_length_weeks

SCHEDULE_SPINE = """
    create table spine.schedule_spine as
    with days as (
        select date_day, cast(date_trunc('week', date_day + 1) as date) - 1 as sunday, day_kind
        from intermediate.int_days
    ),
    holiday_weeks as (
        select sunday, array_agg(date_day) as holidays from days where day_kind = 'holiday' group by sunday
    ),
    ends as (
        -- Weeks with holidays are versions of their own; what lies between two of them is one version. A schedule
        -- without holidays has one version.
        select true as has_holidays, sunday as valid_from from holiday_weeks
        union select true, sunday + 7 from holiday_weeks
        union select with_holidays, min(sunday) from days, unnest(array[true, false]) as with_holidays group by 1
        union select with_holidays, max(sunday) + 7 from days, unnest(array[true, false]) as with_holidays group by 1
    ),
    versions as (
        select has_holidays, valid_from, lead(valid_from) over (partition by has_holidays order by valid_from)
            as valid_until
        from ends
    )
    select
        hours.schedule_id,
        hours.iso_weekday % 7 * 1440 + hours.opens_second / 60
        - cast(extract(epoch from zones.utc_offset) / 60 as integer) as start_time_utc,
        hours.iso_weekday % 7 * 1440 + hours.closes_second / 60
        - cast(extract(epoch from zones.utc_offset) / 60 as integer) as end_time_utc,
        versions.valid_from,
        versions.valid_until
    from versions
    join intermediate.int_schedule_hours as hours on hours.has_workdays = versions.has_holidays
    join pg_timezone_names as zones on zones.name = hours.timezone
    left join holiday_weeks on versions.has_holidays and holiday_weeks.sunday = versions.valid_from
    where versions.valid_until is not null
        and (
            holiday_weeks.sunday is null or not hours.observes_holidays
            or holiday_weeks.sunday + hours.iso_weekday % 7 <> all (holiday_weeks.holidays)
        )
"""

_WEEK_START = "cast(date_trunc('week', from_at + interval '1 day') - interval '1 day' as date)"

SPINE = f"""
    with measured as (
        select
            span_id,
            schedule_id,
            from_at,
            to_at,
            extract(epoch from from_at - {_WEEK_START}) / 60 as start_minute,
            extract(epoch from to_at - from_at) / 60 as raw_minutes,
            {_WEEK_START} as start_week_date
        from spine.spans
        where to_at > from_at
        group by 1, 2, 3, 4
    ),
    weeks as (
        select generated_number from generate_series(1, {WEEKS}) as generated_number
    ),
    weeks_cross_spans as (
        select measured.*, cast(generated_number - 1 as integer) as week_number
        from measured
        cross join weeks
        where floor((start_minute + raw_minutes) / (7 * 24 * 60)) >= generated_number - 1
    ),
    weekly_periods as (
        select
            *,
            greatest(0, start_minute - week_number * (7 * 24 * 60)) as week_start_minute,
            least(start_minute + raw_minutes - week_number * (7 * 24 * 60), (7 * 24 * 60)) as week_end_minute
        from weeks_cross_spans
    ),
    intercepted_periods as (
        select
            weekly_periods.span_id,
            least(week_end_minute, schedule.end_time_utc) - greatest(week_start_minute, schedule.start_time_utc)
                as scheduled_minutes
        from weekly_periods
        join spine.schedule_spine as schedule
            on week_start_minute <= schedule.end_time_utc
            and week_end_minute >= schedule.start_time_utc
            and weekly_periods.schedule_id = schedule.schedule_id
            and cast(
                start_week_date + cast(week_number * (7 * 24 * 60) + week_end_minute as integer) * interval '1 minute'
                as date
            ) > schedule.valid_from
            and cast(
                start_week_date + cast(week_number * (7 * 24 * 60) + week_start_minute as integer) * interval '1 minute'
                as date
            ) < schedule.valid_until
    )
    select span_id, sum(scheduled_minutes) as business_minutes
    from intercepted_periods
    group by span_id
"""
