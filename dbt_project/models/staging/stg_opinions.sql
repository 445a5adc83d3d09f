select
    voice_id,
    kind as opinion_kind,
    code as opinion_code,
    name_zh as opinion_zh,
    coalesce(nullif(polarity, ''), 'none') as polarity,
    strength,
    words,
    model_version
from {{ source("nlp", "opinions") }}
where kind <> 'none'
