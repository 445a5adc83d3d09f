with assigned as (
    select
        topic_id,
        count(*) as text_count,
        max(model_version) as model_version
    from {{ ref("stg_topic_assignments") }}
    group by topic_id
)

select
    topics.topic_id,
    topics.label,
    topics.keywords,
    topics.state,
    topics.born_on,
    coalesce(assigned.text_count, 0) as text_count,
    topics.model_version,
    topics.parent_id,
    topics.parent_label,
    topics.problem_subtype,
    topics.problem_type,
    topics.stage,
    topics.root_cause_class,
    topics.class_confidence,
    topics.retired_on,
    topics.split_from,
    topics.merged_into
from {{ ref("stg_topics") }} as topics
left join assigned on topics.topic_id = assigned.topic_id
where topics.topic_id <> -1
union all
select
    -1,
    '未归类',
    null,
    'active',
    null,
    coalesce(max(text_count), 0),
    max(model_version),
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    null
from assigned
where topic_id = -1
