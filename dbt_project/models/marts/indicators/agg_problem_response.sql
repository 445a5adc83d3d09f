{{ per_day("period_start_on", "month") }}
with tickets as (
    select
        ticket_key,
        cast(date_trunc('month', created_on) as date) as period_start_on,
        coalesce(problem_type, 'unknown') as problem_type,
        first_response_business_seconds,
        resolution_business_seconds
    from {{ ref("fct_tickets") }}
    where {{ in_touched_month() }}
),

names as (
    select
        problem_type,
        max(type_zh) as problem_type_zh
    from {{ ref("problem_types") }}
    group by problem_type
),

-- Where the month's tickets of a type spent most business time before they were solved.
stages as (
    select
        tickets.period_start_on,
        tickets.problem_type,
        visits.stage_zh,
        row_number() over (
            partition by tickets.period_start_on, tickets.problem_type
            order by sum(visits.business_seconds) desc, {{ bytewise("visits.stage") }}
        ) as longest_first
    from tickets
    inner join {{ ref("fct_ticket_stages") }} as visits on tickets.ticket_key = visits.ticket_key
    where visits.stage <> 'solved' and {{ in_touched_month("visits.created_on") }}
    group by tickets.period_start_on, tickets.problem_type, visits.stage, visits.stage_zh
    having sum(visits.business_seconds) > 0
),

ratings as (
    select
        cast(date_trunc('month', created_on) as date) as period_start_on,
        coalesce(problem_type, 'unknown') as problem_type,
        avg(csat_score) as csat_mean,
        count(csat_score) as csat_count
    from {{ ref("fct_feedback") }}
    where {{ in_touched_month() }}
    group by 1, 2
),

responses as (
    select
        period_start_on,
        problem_type,
        count(*) as ticket_count,
        {{ minutes_spread("first_response_business_seconds", "first_response_", "minutes") }},
        {{ minutes_spread("resolution_business_seconds", "handling_", "minutes") }}
    from tickets
    group by 1, 2
)

select
    responses.period_start_on,
    responses.problem_type,
    coalesce(names.problem_type_zh, '未分类') as problem_type_zh,
    responses.ticket_count,
    responses.mean_first_response_minutes,
    responses.p50_first_response_minutes,
    responses.p90_first_response_minutes,
    responses.p95_first_response_minutes,
    responses.mean_handling_minutes,
    responses.p50_handling_minutes,
    responses.p90_handling_minutes,
    responses.p95_handling_minutes,
    ratings.csat_mean,
    coalesce(ratings.csat_count, 0) as csat_count,
    stages.stage_zh as main_delay_stage
from responses
left join names on responses.problem_type = names.problem_type
left join ratings
    on responses.period_start_on = ratings.period_start_on and responses.problem_type = ratings.problem_type
left join stages
    on responses.period_start_on = stages.period_start_on
    and responses.problem_type = stages.problem_type
    and stages.longest_first = 1
