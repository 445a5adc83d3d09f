"""Business minutes as dbt_zendesk's SQL finds them: weeks are joined to each ticket's span, then hours to each week.

Written for the benchmark after the public package's approach (a schedule's windows in minutes of the week, a spine of
52 weeks, spans cut at the weeks): first reply, full resolution, and the minutes of each status. It knows no holidays,
no make-up workdays and no change of schedule, so it does less than ours.
"""

from __future__ import annotations

# Minutes since Sunday midnight, as the package counts, in the company's zone.
_WEEK = "date_trunc('week', {at} + interval '1 day') - interval '1 day'"
_LOCAL = "(({at} at time zone 'UTC') at time zone 'Asia/Shanghai')"


def _spine(name: str, spans: str) -> str:
    """Business minutes of spans (ticket_key, span, from_at, to_at; local), summed by ticket and span."""
    return f"""
    create table spine.{name} as
    with spans as ({spans}),
    weeks as (select generate_series as week_number from generate_series(0, 51)),
    measured as (
        select ticket_key, span, from_at, to_at,
               extract(epoch from from_at - {_WEEK.format(at="from_at")}) / 60 as start_minute,
               extract(epoch from to_at - from_at) / 60 as raw_minutes
        from spans where to_at > from_at
    ),
    weekly as (
        select ticket_key, span, start_minute, raw_minutes, week_number,
               greatest(0, start_minute - week_number * 7 * 24 * 60) as week_start_minute,
               least(start_minute + raw_minutes - week_number * 7 * 24 * 60, 7 * 24 * 60) as week_end_minute
        from measured
        cross join weeks
        where floor((start_minute + raw_minutes) / (7.0 * 24 * 60)) >= week_number
    ),
    hours as (
        select iso_weekday % 7 * 1440 + extract(epoch from cast(opens as interval)) / 60 as opens,
               iso_weekday % 7 * 1440 + extract(epoch from cast(closes as interval)) / 60 as closes
        from rules.service_schedules where is_default
    ),
    crossed as (
        select weekly.ticket_key, weekly.span,
               greatest(weekly.week_start_minute, hours.opens) as from_minute,
               least(weekly.week_end_minute, hours.closes) as to_minute
        from weekly
        join hours on weekly.week_start_minute <= hours.closes and weekly.week_end_minute >= hours.opens
    )
    select ticket_key, span, sum(greatest(to_minute - from_minute, 0)) as business_minutes
    from crossed group by 1, 2
    """


def statements() -> list[str]:
    """SQL (PostgreSQL) that finds business minutes from ``raw``, in the order to run it."""
    local = {name: _LOCAL.format(at=name) for name in ("created_at", "event_at", "sent_at")}
    spans = {
        "first_reply": f"""
            select t._source || ':' || t.ticket_id as ticket_key, 'reply' as span, {local["created_at"]} as from_at,
                   min({local["sent_at"]}) as to_at
            from raw.tickets t join raw.messages m on t._source = m._source and t.ticket_id = m.ticket_id
            where m.author_role = 'agent' and m.sent_at >= t.created_at group by 1, 2, 3""",
        "resolution": f"""
            select t._source || ':' || t.ticket_id as ticket_key, 'resolution' as span,
                   {local["created_at"]} as from_at, max({local["event_at"]}) as to_at
            from raw.tickets t join raw.ticket_events e on t._source = e._source and t.ticket_id = e.ticket_id
            where e.field = 'status' and e.new_value = 'solved' group by 1, 2, 3""",
        "statuses": f"""
            select ticket_key, status || n as span, from_at, to_at from (
                select _source || ':' || ticket_id as ticket_key, new_value as status,
                       row_number() over w as n, {local["event_at"]} as from_at,
                       lead({local["event_at"]}) over w as to_at
                from raw.ticket_events where field = 'status'
                window w as (partition by _source, ticket_id order by event_at)
            ) changes where to_at is not null""",
    }
    return [
        "drop schema if exists spine cascade",
        "create schema spine",
        *(_spine(name, query) for name, query in spans.items()),
    ]
