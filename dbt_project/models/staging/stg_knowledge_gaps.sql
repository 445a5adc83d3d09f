select
    gap_id,
    question,
    variants,
    answer,
    answer_voice_id,
    held_count,
    support_count,
    article_source,
    article_id,
    article_title,
    article_url,
    article_likeness,
    draft,
    first_seen_on,
    computed_on
from {{ source("nlp", "knowledge_gaps") }}
-- Who is forgotten takes the words of the gap along until the next run finds others.
where is_active and question is not null
