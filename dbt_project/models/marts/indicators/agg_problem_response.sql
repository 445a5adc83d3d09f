with tickets as (
    select
        ticket_key,
        cast(date_trunc('month', created_on) as date) as period_start_on,
        coalesce(problem_type, 'unknown') as problem_type,
        first_response_business_seconds,
        resolution_business_seconds,
        first_response_business_seconds / 60.0 as first_response_minutes,
        resolution_business_seconds / 60.0 as handling_minutes
    from {{ ref("fct_tickets") }}
),

names as (
    select
        problem_type,
        max(type_zh) as problem_type_zh
    from {{ ref("problem_types") }}
    group by problem_type
),

stages as (
    select
        tickets.period_start_on,
        tickets.problem_type,
        stages.stage,
        row_number() over (
            partition by tickets.period_start_on, tickets.problem_type
            order by sum(stages.business_seconds) desc, {{ bytewise("stages.stage") }}
        ) as longest_first
    from tickets
    inner join {{ ref("int_ticket_stages") }} as stages on tickets.ticket_key = stages.ticket_key
    where stages.stage <> 'done'
    group by tickets.period_start_on, tickets.problem_type, stages.stage
),

ratings as (
    select
        cast(date_trunc('month', created_on) as date) as period_start_on,
        coalesce(problem_type, 'unknown') as problem_type,
        avg(csat_score) as csat_mean,
        count(csat_score) as csat_count
    from {{ ref("fct_feedback") }}
    group by 1, 2
),

responses as (
    select
        period_start_on,
        problem_type,
        count(*) as ticket_count,
        -- Whole seconds add up exactly; a mean of fractions would depend on the order in which threads add.
        cast(sum(first_response_business_seconds) as double precision)
        / nullif(count(first_response_business_seconds), 0) / 60 as mean_first_response_minutes,
        {%- for share in [50, 90, 95] %}
        cast(percentile_cont({{ share / 100 }}) within group (order by first_response_minutes) as double precision)
            as p{{ share }}_first_response_minutes,
        {%- endfor %}
        cast(sum(resolution_business_seconds) as double precision)
        / nullif(count(resolution_business_seconds), 0) / 60 as mean_handling_minutes,
        cast(percentile_cont(0.9) within group (order by handling_minutes) as double precision) as p90_handling_minutes
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
    responses.p90_handling_minutes,
    ratings.csat_mean,
    coalesce(ratings.csat_count, 0) as csat_count,
    case stages.stage
        when 'first_response' then '等待首次响应'
        when 'handling' then '处理中'
        when 'waiting_for_customer' then '等待客户'
        when 'on_hold' then '挂起'
    end as main_delay_stage
from responses
left join names on responses.problem_type = names.problem_type
left join ratings
    on responses.period_start_on = ratings.period_start_on and responses.problem_type = ratings.problem_type
left join stages
    on responses.period_start_on = stages.period_start_on
    and responses.problem_type = stages.problem_type
    and stages.longest_first = 1
