-- A running clock needs a 'now'. It comes from the data, so that the same data always gives the same mart; a record
-- dated in the future must not move it. The variable as_of overrules it.
with latest as (
    select max(created_at) as latest_at from {{ ref("stg_tickets") }}
    union all
    select max(event_at) from {{ ref("stg_ticket_events") }}
    union all
    select max(sent_at) from {{ ref("stg_messages") }}
    union all
    select max(created_at) from {{ ref("stg_feedback") }}
)

select
    coalesce(
        {% if var("as_of") %} cast('{{ var("as_of") }}' as timestamp), {% endif %}
        least(coalesce(max(latest_at), {{ utc_now() }}), {{ utc_now() }})
    ) as as_of_at
from latest
