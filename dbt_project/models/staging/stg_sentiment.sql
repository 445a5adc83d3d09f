-- One score a voice: a text that several model versions scored counts with its newest score.
with ranked as (
    select
        voice_id,
        score,
        label,
        model_version,
        noise,
        noise_reason,
        row_number() over (partition by voice_id order by scored_at desc, model_version desc) as newest_first
    from {{ source("nlp", "sentiment") }}
)

select
    voice_id,
    score,
    label,
    model_version,
    noise,
    noise_reason
from ranked
where newest_first = 1
