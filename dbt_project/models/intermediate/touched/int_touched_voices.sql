{%- set read = [loaded_since("sentiment", "nlp"), loaded_since("topic_assignment", "nlp")] %}
-- Voices that this build must write anew: of touched tickets and feedback, and those with news of their meaning.
select 'ticket:' || ticket_key as voice_id
from {{ ref("int_touched_tickets") }}
union
select 'feedback:' || feedback_key
from {{ ref("int_touched_feedback") }}
{%- if not is_first_build() %}
union
select voice_id
from ({{ loaded_since("sentiment", "nlp") }}) as scored
union
select voice_id
from ({{ loaded_since("topic_assignment", "nlp") }}) as assigned
{{ carried_over("voice_id") }}
{%- endif %}
