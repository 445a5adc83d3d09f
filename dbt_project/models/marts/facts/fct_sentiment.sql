{{ per_voice() }}
select
    voices.voice_id,
    voices.voice_kind,
    voices.source,
    voices.ticket_id,
    voices.feedback_id,
    voices.customer_ref,
    voices.source_customer_ref,
    voices.customer_tier,
    voices.annual_revenue,
    voices.channel,
    voices.problem_type,
    voices.problem_subtype,
    voices.complexity,
    voices.daypart,
    voices.product,
    voices.region,
    voices.team,
    voices.tenure_band,
    voices.text,
    voices.occurred_at,
    voices.occurred_on,
    sentiment.score as sentiment_score,
    sentiment.label as sentiment_label,
    sentiment.model_version as sentiment_model_version,
    topics.topic_id,
    topics.similarity as topic_similarity,
    topics.model_version as topic_model_version,
    sentiment.noise as noise_kind,
    sentiment.noise_reason,
    coalesce(sentiment.noise <> 'foreign', false) as is_noise,
    copies.duplicate_of,
    coalesce(copies.group_size, 1) as group_size,
    coalesce(copies.account_count, 1) as account_count,
    coalesce(copies.is_campaign, false) as is_campaign,
    copies.duplicate_of is null and coalesce(sentiment.noise = 'foreign', true) as is_counted
from {{ ref("int_voices") }} as voices
left join {{ ref("stg_sentiment") }} as sentiment on voices.voice_id = sentiment.voice_id
left join {{ ref("stg_topic_assignments") }} as topics on voices.voice_id = topics.voice_id
left join {{ ref("int_voice_copies") }} as copies on voices.voice_id = copies.voice_id
where {{ only_touched_voices("voices.voice_id") }}
