{{ looked_up_by("date_day") }}
-- Local days of which something changes in this build: those where touched tickets and texts are, and where they were.
select distinct {{ local_date("tickets.created_at") }} as date_day
from {{ ref("stg_tickets") }} as tickets
inner join {{ ref("int_touched_tickets") }} as touched on tickets.ticket_key = touched.ticket_key
union
select distinct {{ local_date("feedback.created_at") }}
from {{ ref("stg_feedback") }} as feedback
inner join {{ ref("int_touched_feedback") }} as touched on feedback.feedback_key = touched.feedback_key
-- depends_on: {{ ref("int_touched_voices") }}
{%- if not is_first_build() %}
union
select distinct tickets.created_on
from {{ built("int_tickets") }} as tickets
inner join {{ ref("int_touched_tickets") }} as touched on tickets.ticket_key = touched.ticket_key
union
select distinct feedback.created_on
from {{ built("int_feedback") }} as feedback
inner join {{ ref("int_touched_feedback") }} as touched on feedback.feedback_key = touched.feedback_key
union
select distinct voices.occurred_on
from {{ built("int_voices") }} as voices
inner join {{ ref("int_touched_voices") }} as touched on voices.voice_id = touched.voice_id
{{ carried_over("date_day") }}
{%- endif %}
