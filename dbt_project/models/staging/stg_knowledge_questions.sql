select
    voice_id,
    gap_id
from {{ source("nlp", "knowledge_questions") }}
