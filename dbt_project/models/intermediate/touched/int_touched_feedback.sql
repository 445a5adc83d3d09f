{{ looked_up_by("feedback_key") }}
-- depends_on: {{ ref("int_touched_tickets") }}, {{ ref("int_touched_persons") }}
{%- set read = [source("build", "removed"), loaded_since("feedback")] %}
{%- if is_first_build() %}
select feedback_key
from {{ ref("stg_feedback") }}
{%- else %}
-- Feedback that this build must write anew: loaded or removed since the last one, or its ticket or person changed.
select _source || ':' || feedback_id as feedback_key
from ({{ loaded_since("feedback") }}) as loaded
union
select source || ':' || feedback_id
from {{ source("build", "removed") }}
where entity = 'feedback'
union
select feedback.feedback_key
from {{ built("int_feedback") }} as feedback
inner join {{ ref("int_touched_tickets") }} as touched on feedback.ticket_key = touched.ticket_key
union
select feedback.feedback_key
from {{ ref("stg_feedback") }} as feedback
inner join {{ ref("int_touched_tickets") }} as touched on feedback.ticket_id = touched.ticket_id
union
select feedback.feedback_key
from {{ built("int_feedback") }} as feedback
inner join {{ ref("int_touched_persons") }} as persons
    on feedback.customer_ref = persons.person_ref and feedback.created_at >= persons.from_at
{{ carried_over("feedback_key") }}
{%- endif %}
