with used as (
    select channel from {{ ref("stg_tickets") }}
    union
    select channel
    from {{ ref("stg_feedback") }}
    where channel is not null
)

select
    coalesce(registered.channel, used.channel) as channel,
    coalesce(registered.name_zh, used.channel) as name_zh,
    coalesce(registered.name_en, used.channel) as name_en,
    registered.medium,
    registered.channel is not null as is_registered
from {{ ref("channels") }} as registered
full outer join used on registered.channel = used.channel
