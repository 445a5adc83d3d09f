-- How far each source was loaded when this build began to read; where it ends well, the next one begins there.
{% for entity in ["tickets", "ticket_events", "messages", "feedback", "customers", "agents"] %}
select
    '{{ entity }}' as entity,
    _source as source,
    max(_loaded_at) as loaded_at
from {{ source("raw", entity) }}
group by _source
{{ "union all" if not loop.last }}
{% endfor %}
