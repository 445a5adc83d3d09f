{{ per_day() }}
select
    meaning.occurred_on as date_day,
    meaning.topic_id,
    count(*) filter (where meaning.is_counted) as voice_count,
    count(*) as text_count,
    count(*) filter (where meaning.is_counted and meaning.voice_kind = 'ticket') as ticket_count,
    count(*) filter (where meaning.is_counted and meaning.sentiment_label = 'negative') as negative_count,
    count(distinct meaning.customer_ref) as customer_count,
    count(distinct case when meaning.customer_tier = 'vip' then meaning.customer_ref end) as vip_count,
    cast(sum(voices.likes) as bigint) as likes
from {{ ref("fct_sentiment") }} as meaning
inner join {{ ref("int_voices") }} as voices on meaning.voice_id = voices.voice_id
where meaning.topic_id is not null and not meaning.is_noise and {{ only_touched_days("meaning.occurred_on") }}
group by 1, 2
