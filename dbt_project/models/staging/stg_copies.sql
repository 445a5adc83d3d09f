select
    voice_id,
    first_voice_id as group_id
from {{ source("nlp", "copies") }}
