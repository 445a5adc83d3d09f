{{ looked_up_by("voice_id") }}
{%- set read = [
    loaded_since("sentiment", "nlp"), loaded_since("topic_assignment", "nlp"), loaded_since("copies", "nlp"),
    ref("stg_copies"),
] %}
-- Voices that this build must write anew: of touched tickets and feedback, those with news of their meaning, and all
-- that say or said the same as one of them.
{%- if is_first_build() %}
select 'ticket:' || ticket_key as voice_id
from {{ ref("int_touched_tickets") }}
union
select 'feedback:' || feedback_key
from {{ ref("int_touched_feedback") }}
{%- else %}
with changed as (
    select 'ticket:' || ticket_key as voice_id
    from {{ ref("int_touched_tickets") }}
    union
    select 'feedback:' || feedback_key
    from {{ ref("int_touched_feedback") }}
    union
    select voice_id
    from ({{ loaded_since("sentiment", "nlp") }}) as scored
    union
    select voice_id
    from ({{ loaded_since("topic_assignment", "nlp") }}) as assigned
    union
    select voice_id
    from ({{ loaded_since("copies", "nlp") }}) as compared
    {{ carried_over("voice_id") }}
),

touched_groups as (
    select copies.group_id
    from {{ ref("stg_copies") }} as copies
    inner join changed on copies.voice_id = changed.voice_id
    union
    select copies.group_id
    from {{ built("int_voice_copies") }} as copies
    inner join changed on copies.voice_id = changed.voice_id
)

select voice_id
from changed
union
select copies.voice_id
from {{ ref("stg_copies") }} as copies
inner join touched_groups on copies.group_id = touched_groups.group_id
union
select copies.voice_id
from {{ built("int_voice_copies") }} as copies
inner join touched_groups on copies.group_id = touched_groups.group_id
{%- endif %}
