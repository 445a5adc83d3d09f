-- How far scores and topics were loaded when this build began to read.
select
    'sentiment' as entity,
    cast('' as text) as source,
    max(scored_at) as loaded_at
from {{ source("nlp", "sentiment") }}
having max(scored_at) is not null
union all
select
    'topic_assignment' as entity,
    cast('' as text) as source,
    max(assigned_at) as loaded_at
from {{ source("nlp", "topic_assignment") }}
having max(assigned_at) is not null
