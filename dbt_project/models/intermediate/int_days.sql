-- Whole years around the data and a quarter of a year ahead, so that a running clock finds its due instant. Days that
-- the calendar doesn't cover count by their weekday. The bounds keep one wild date from making millions of days.
with instants as (
    select
        min(created_at) as first_at,
        max(created_at) as last_at
    from {{ ref("stg_tickets") }}
    union all
    select
        min(created_at) as first_at,
        max(created_at) as last_at
    from {{ ref("stg_feedback") }}
    union all
    select
        as_of_at as first_at,
        as_of_at as last_at
    from {{ ref("int_as_of") }}
),

bounds as (
    select
        date_trunc('year', greatest(min(first_at), timestamp '2000-01-01 00:00:00')) - interval '7 days' as from_on,
        date_trunc('year', least(max(last_at), timestamp '2099-01-01 00:00:00') + interval '90 days')
        + interval '1 year' as to_on
    from instants
),

days as (
    select {{ days_between("from_on", "to_on") }} as date_day
    from bounds
)

select
    days.date_day,
    cast(extract(isodow from days.date_day) as integer) as iso_weekday,
    coalesce(calendar.is_workday, extract(isodow from days.date_day) < 6) as is_workday,
    coalesce(
        calendar.day_kind, case when extract(isodow from days.date_day) < 6 then 'workday' else 'weekend' end
    ) as day_kind,
    calendar.holiday_name
from days
left join {{ ref("stg_calendar_days") }} as calendar on days.date_day = calendar.date_day
