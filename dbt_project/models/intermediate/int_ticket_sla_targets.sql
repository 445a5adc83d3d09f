-- The policy of each reportable ticket for each metric: of those that fit and were in force on the day it was
-- created, the one that names most; of equals the newer one. Policies are matched to the few combinations of
-- attributes first, then to tickets by equality.
with tickets as (
    select
        ticket_key,
        created_on,
        coalesce(customer_tier, '') as customer_tier,
        coalesce(priority_at_creation, '') as priority,
        coalesce(channel, '') as channel,
        coalesce(problem_type, '') as problem_type
    from {{ ref("int_tickets") }}
    where reason = 'reportable'
),

combinations as (
    select distinct
        customer_tier,
        priority,
        channel,
        problem_type
    from tickets
),

fitting as (
    select
        combinations.*,
        policies.policy_id,
        policies.sla_metric,
        cast(policies.target_minutes * 60 as bigint) as target_business_seconds,
        policies.effective_from_on,
        policies.effective_to_on,
        case when policies.customer_tier is not null then 1 else 0 end
        + case when policies.priority is not null then 1 else 0 end
        + case when policies.channel is not null then 1 else 0 end
        + case when policies.problem_type is not null then 1 else 0 end as named_count
    from combinations
    inner join {{ ref("sla_policies") }} as policies
        on coalesce(policies.customer_tier, combinations.customer_tier) = combinations.customer_tier
        and coalesce(policies.priority, combinations.priority) = combinations.priority
        and coalesce(policies.channel, combinations.channel) = combinations.channel
        and coalesce(policies.problem_type, combinations.problem_type) = combinations.problem_type
),

ranked as (
    select
        tickets.ticket_key,
        fitting.sla_metric,
        fitting.policy_id,
        fitting.target_business_seconds,
        row_number() over (
            partition by tickets.ticket_key, fitting.sla_metric
            order by
                fitting.named_count desc,
                coalesce(fitting.effective_from_on, date '1900-01-01') desc,
                {{ bytewise("fitting.policy_id") }}
        ) as best_first
    from tickets
    inner join fitting
        on tickets.customer_tier = fitting.customer_tier
        and tickets.priority = fitting.priority
        and tickets.channel = fitting.channel
        and tickets.problem_type = fitting.problem_type
        and (fitting.effective_from_on is null or tickets.created_on >= fitting.effective_from_on)
        and (fitting.effective_to_on is null or tickets.created_on < fitting.effective_to_on)
)

select
    ticket_key,
    sla_metric,
    policy_id,
    target_business_seconds
from ranked
where best_first = 1
