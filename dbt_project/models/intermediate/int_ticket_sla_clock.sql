{{ per_ticket() }}
-- Elapsed time of each clock without the stretches in which a status stopped it, by calendar and by business time. Both
-- clocks only grow, so the part of a pause inside a clock is a difference of their readings.
with clocks as (
    select
        targets.*,
        coalesce(targets.ended_at, greatest(as_of.as_of_at, targets.started_at)) as measured_at
    from {{ ref("int_ticket_sla_targets") }} as targets
    cross join {{ ref("int_as_of") }} as as_of
    where {{ only_touched("targets.ticket_key") }}
),

pauses as (
    select
        clocks.ticket_key,
        clocks.sla_metric,
        clocks.instance,
        sum(
            least(spans.business_to, clocks.business_to) - greatest(spans.business_from, clocks.business_from)
        ) as business_seconds,
        sum(
            least({{ epoch("spans.to_at") }}, {{ epoch("clocks.measured_at") }})
            - greatest({{ epoch("spans.from_at") }}, {{ epoch("clocks.started_at") }})
        ) as calendar_seconds
    from clocks
    inner join {{ ref("int_ticket_status_spans") }} as spans
        on clocks.ticket_key = spans.ticket_key
        and clocks.pauses_on <> ''
        and clocks.measured_at > spans.from_at
        and clocks.started_at < spans.to_at
        and {{ stops("spans.status", "clocks.pauses_on") }}
    group by clocks.ticket_key, clocks.sla_metric, clocks.instance
)

select
    clocks.ticket_key,
    clocks.sla_metric,
    clocks.instance,
    clocks.policy_id,
    clocks.clock,
    clocks.target_seconds,
    clocks.priority_at_creation,
    clocks.priority,
    clocks.started_at,
    clocks.ended_at,
    clocks.business_to,
    cast(
        clocks.business_to - clocks.business_from - coalesce(pauses.business_seconds, 0) as bigint
    ) as elapsed_business_seconds,
    cast(
        {{ seconds_between("clocks.started_at", "clocks.measured_at") }}
        - coalesce(pauses.calendar_seconds, 0) as bigint
    ) as elapsed_calendar_seconds,
    clocks.ended_at is null and {{ stops("status.status", "clocks.pauses_on") }} as is_paused
from clocks
inner join {{ ref("int_ticket_status") }} as status on clocks.ticket_key = status.ticket_key
left join pauses
    on clocks.ticket_key = pauses.ticket_key
    and clocks.sla_metric = pauses.sla_metric
    and clocks.instance = pauses.instance
