-- depends_on: {{ ref("int_meaning_loads") }}
-- Voices that this build must write anew: of touched tickets and feedback, and those with news of their meaning.
select 'ticket:' || ticket_key as voice_id
from {{ ref("int_touched_tickets") }}
union
select 'feedback:' || feedback_key
from {{ ref("int_touched_feedback") }}
{%- if not execute or not is_first_build() %}
union
select voice_id
from ({{ loaded_since("sentiment", "nlp", "scored_at", by_source=false) }}) as scored
union
select voice_id
from ({{ loaded_since("topic_assignment", "nlp", "assigned_at", by_source=false) }}) as assigned
{{ carried_over("voice_id") }}
{%- endif %}
