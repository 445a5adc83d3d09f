{{ per_ticket() }}
-- The policy of each clock: of those that fit and were in force on the day it started, the one that names most; of
-- equals the newer one. The winner is found for the few combinations of attributes and spans between changes of the
-- rules first, then by equality for the many clocks.
with combinations as (
    select distinct
        sla_metric,
        coalesce(customer_tier, '') as customer_tier,
        coalesce(priority, '') as priority,
        coalesce(channel, '') as channel,
        coalesce(problem_type, '') as problem_type
    from {{ ref("int_ticket_sla_instances") }}
    where {{ only_touched("ticket_key") }}
),

changes as (
    select
        sla_metric,
        effective_from_on as from_on
    from {{ ref("sla_policies") }}
    where effective_from_on is not null
    union
    select
        sla_metric,
        effective_to_on
    from {{ ref("sla_policies") }}
    where effective_to_on is not null
    union
    select
        sla_metric,
        date '1900-01-01'
    from {{ ref("sla_policies") }}
),

spans as (
    select
        sla_metric,
        from_on,
        coalesce(
            lead(from_on) over (partition by sla_metric order by from_on), date '9999-12-31'
        ) as to_on
    from changes
),

ranked as (
    select
        combinations.*,
        spans.from_on,
        spans.to_on,
        policies.policy_id,
        policies.clock,
        policies.target_minutes,
        -- What belongs to the metric stops its clock, whatever the policy adds.
        case combinations.sla_metric
            when 'requester_wait' then 'pending|solved|'
            when 'agent_work' then 'pending|on_hold|solved|'
            else ''
        end || coalesce(policies.pauses_on, '') as pauses_on,
        row_number() over (
            partition by
                combinations.sla_metric,
                combinations.customer_tier,
                combinations.priority,
                combinations.channel,
                combinations.problem_type,
                spans.from_on
            order by
                case when policies.customer_tier is not null then 1 else 0 end
                + case when policies.priority is not null then 1 else 0 end
                + case when policies.channel is not null then 1 else 0 end
                + case when policies.problem_type is not null then 1 else 0 end desc,
                coalesce(policies.effective_from_on, date '1900-01-01') desc,
                {{ bytewise("policies.policy_id") }}
        ) as best_first
    from combinations
    inner join spans on combinations.sla_metric = spans.sla_metric
    inner join {{ ref("sla_policies") }} as policies
        on combinations.sla_metric = policies.sla_metric
        and coalesce(policies.customer_tier, combinations.customer_tier) = combinations.customer_tier
        and coalesce(policies.priority, combinations.priority) = combinations.priority
        and coalesce(policies.channel, combinations.channel) = combinations.channel
        and coalesce(policies.problem_type, combinations.problem_type) = combinations.problem_type
        and coalesce(policies.effective_from_on, spans.from_on) <= spans.from_on
        and coalesce(policies.effective_to_on, spans.to_on) >= spans.to_on
)

select
    instances.ticket_key,
    instances.sla_metric,
    instances.instance,
    instances.started_at,
    instances.ended_at,
    instances.business_from,
    instances.business_to,
    instances.priority_at_creation,
    instances.priority,
    ranked.policy_id,
    ranked.clock,
    ranked.pauses_on,
    cast(ranked.target_minutes * 60 as bigint) as target_seconds
from {{ ref("int_ticket_sla_instances") }} as instances
inner join ranked
    on instances.sla_metric = ranked.sla_metric
    and coalesce(instances.customer_tier, '') = ranked.customer_tier
    and coalesce(instances.priority, '') = ranked.priority
    and coalesce(instances.channel, '') = ranked.channel
    and coalesce(instances.problem_type, '') = ranked.problem_type
    and instances.started_on >= ranked.from_on
    and instances.started_on < ranked.to_on
    and ranked.best_first = 1
where {{ only_touched("instances.ticket_key") }}
