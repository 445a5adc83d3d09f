select
    topic_id,
    label,
    keywords,
    state,
    born_on,
    text_count,
    model_version
from {{ ref("stg_topics") }}
where topic_id <> -1
union all
select
    -1,
    '未归类',
    null,
    'active',
    null,
    count(*),
    max(model_version)
from {{ ref("stg_topic_assignments") }}
where topic_id = -1
