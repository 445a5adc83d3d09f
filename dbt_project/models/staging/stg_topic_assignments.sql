select
    voice_id,
    topic_id,
    similarity,
    model_version
from {{ source("nlp", "topic_assignment") }}
