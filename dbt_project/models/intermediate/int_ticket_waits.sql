{{ per_ticket() }}
-- How long whom a ticket waited for, up to its last solution or to now: the customer for the company (new, open, on
-- hold), the company for the customer (pending), both for a third party (on hold), a step of the company (new, open).
{%- set waits = {
    "requester_wait": ["new", "open", "on_hold"],
    "agent_wait": ["pending"],
    "on_hold": ["on_hold"],
    "agent_work": ["new", "open"],
} %}

select
    tickets.ticket_key
    {%- for name, statuses in waits.items() %},
    {%- set held = "spans.status in ('" ~ statuses | join("', '") ~ "')" %}
    cast(
        coalesce(sum({{ epoch("spans.to_at") }} - {{ epoch("spans.from_at") }}) filter (where {{ held }}), 0) as bigint
    ) as {{ name }}_seconds,
    cast(coalesce(sum(spans.business_to - spans.business_from) filter (where {{ held }}), 0) as bigint)
        as {{ name }}_business_seconds
    {%- endfor %}
from {{ ref("stg_tickets") }} as tickets
left join {{ ref("int_ticket_status_spans") }} as spans on tickets.ticket_key = spans.ticket_key
where {{ only_touched("tickets.ticket_key") }}
group by tickets.ticket_key
