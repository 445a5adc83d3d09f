{{ per_day("month_start_on", "month") }}
-- Arrivals as the desk meets them: what customers sent, doubles and hang-ups included, tests, spam and calls of our own
-- left out. The pairs of channel and problem type that came at all in a month have a row for each open hour of it, from
-- the first to the last day on which anything came, so that a mean over hours counts the quiet ones. A month's rows
-- depend on its own tickets only.
with arrivals as (
    select
        cast(date_trunc('month', created_on) as date) as month_start_on,
        created_on as date_day,
        created_hour as hour_of_day,
        channel,
        coalesce(problem_type, 'unknown') as problem_type,
        count(*) as arrival_count,
        count(*) filter (where reason = 'reportable') as ticket_count,
        count(*) filter (where reason in ('duplicate', 'merged')) as duplicate_count,
        count(*) filter (where reason = 'abandoned') as abandoned_count,
        count(*) filter (where reason = 'mis_operation') as mis_operation_count
    from {{ ref("int_tickets") }}
    where
        reason not in ('test', 'spam', 'outbound')
        and {{ only_touched_days("cast(date_trunc('month', created_on) as date)", "month") }}
    group by 1, 2, 3, 4, 5
),

months as (
    select
        month_start_on,
        min(date_day) as first_on,
        max(date_day) as last_on
    from arrivals
    group by month_start_on
),

pairs as (
    select distinct
        month_start_on,
        channel,
        problem_type
    from arrivals
),

default_schedule as (
    select distinct schedule_id
    from {{ ref("service_schedules") }}
    where is_default
),

open_hours as (
    select
        hours.date_day,
        hours.hour_of_day,
        hours.open_seconds
    from {{ ref("int_open_hours") }} as hours
    inner join default_schedule on hours.schedule_id = default_schedule.schedule_id
),

grid as (
    select
        months.month_start_on,
        open_hours.date_day,
        open_hours.hour_of_day,
        pairs.channel,
        pairs.problem_type
    from months
    inner join pairs on months.month_start_on = pairs.month_start_on
    inner join open_hours on open_hours.date_day between months.first_on and months.last_on
    union
    select
        month_start_on,
        date_day,
        hour_of_day,
        channel,
        problem_type
    from arrivals
)

select
    grid.month_start_on,
    grid.date_day,
    grid.hour_of_day,
    grid.channel,
    grid.problem_type,
    coalesce(open_hours.open_seconds, 0) as open_seconds,
    coalesce(arrivals.arrival_count, 0) as arrival_count,
    coalesce(arrivals.ticket_count, 0) as ticket_count,
    coalesce(arrivals.duplicate_count, 0) as duplicate_count,
    coalesce(arrivals.abandoned_count, 0) as abandoned_count,
    coalesce(arrivals.mis_operation_count, 0) as mis_operation_count
from grid
left join arrivals
    on grid.date_day = arrivals.date_day
    and grid.hour_of_day = arrivals.hour_of_day
    and grid.channel = arrivals.channel
    and grid.problem_type = arrivals.problem_type
left join open_hours on grid.date_day = open_hours.date_day and grid.hour_of_day = open_hours.hour_of_day
