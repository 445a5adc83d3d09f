{{ per_voice() }}
-- Voices that say the same, in groups. The first that said it stands for all, and the earliest that is left where that
-- one is gone: forgotten, deleted, no longer reportable. A group with one touched voice is touched as a whole.
with members as (
    select
        copies.voice_id,
        copies.group_id,
        coalesce(voices.source_customer_ref, voices.voice_id) as account,
        row_number() over (
            partition by copies.group_id
            order by case when copies.voice_id = copies.group_id then 0 else 1 end, voices.occurred_at, copies.voice_id
        ) as place
    from {{ ref("stg_copies") }} as copies
    inner join {{ ref("int_voices") }} as voices on copies.voice_id = voices.voice_id
    where {{ only_touched_voices("copies.voice_id") }}
),

totals as (
    select
        group_id,
        max(case when place = 1 then voice_id end) as first_voice_id,
        count(*) as group_size,
        -- A writer whom the source doesn't name is somebody of their own.
        count(distinct account) as account_count
    from members
    group by group_id
)

select
    members.voice_id,
    members.group_id,
    case when members.place > 1 then totals.first_voice_id end as duplicate_of,
    totals.group_size,
    totals.account_count,
    totals.account_count >= {{ var("campaign_accounts") }} as is_campaign
from members
inner join totals on members.group_id = totals.group_id
