{{ per_day("period_start_on", "month") }}
with contacts as (
    select
        cast(date_trunc('month', created_on) as date) as period_start_on,
        coalesce(problem_subtype, 'unknown') as problem_subtype,
        coalesce(problem_subtype_zh, '未分类') as problem_subtype_zh,
        customer_ref,
        is_repeat_contact,
        case
            when is_repeat_contact
                then {{ seconds_between(
                    "lag(created_at) over (partition by customer_ref, problem_subtype order by created_at)", "created_at"
                ) }}
        end as gap_seconds
    from {{ ref("fct_tickets") }}
    -- With the days before a month, in which the contact before may lie.
    where {{ in_touched_month() }}
        or {{ only_touched_days(
            "cast(date_trunc('month', created_on + interval '" ~ var("contact_window_days") ~ " days') as date)", "month"
        ) }}
)

select
    period_start_on,
    problem_subtype,
    max(problem_subtype_zh) as problem_subtype_zh,
    count(*) as ticket_count,
    count(*) filter (where is_repeat_contact) as repeat_contact_count,
    cast(count(*) filter (where is_repeat_contact) as double precision) / count(*) as repeat_contact_share,
    count(distinct case when is_repeat_contact then customer_ref end) as repeating_customer_count,
    cast(sum(gap_seconds) as double precision) / nullif(count(gap_seconds), 0) / 86400 as mean_gap_days,
    cast(percentile_cont(0.5) within group (order by gap_seconds) as double precision) / 86400 as p50_gap_days,
    cast(percentile_cont(0.9) within group (order by gap_seconds) as double precision) / 86400 as p90_gap_days
from contacts
where {{ only_touched_days("period_start_on", "month") }}
group by period_start_on, problem_subtype
