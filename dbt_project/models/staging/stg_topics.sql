select
    topic_id,
    label,
    keywords,
    text_count,
    state,
    born_on,
    model_version
from {{ source("nlp", "topics") }}
