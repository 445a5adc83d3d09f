{{ per_ticket() }}
-- Tickets that are the same request as an earlier one: merged by the desk, or made again by another channel within
-- duplicate_window_hours. A double has the same customer, contradicts nothing that the earlier one states, and either
-- names the same problem with the same product or says it in the same words. Where only the problem agrees it is a
-- possible double: shown, and counted. Each is the double of the first that fits; int_ticket_links knows of doubles of
-- doubles.
with requests as (
    select
        ticket_key,
        customer_ref,
        channel,
        created_at,
        region,
        product,
        problem_subtype,
        regexp_replace(bare_text, '[，。！？、；：…~,.!?;:]', '', 'g') as bare_text
    from {{ ref("int_ticket_reasons") }}
    where reason is null and customer_ref is not null
),

-- Equality on the UTC date, today's and yesterday's, keeps one much-used customer number from squaring the join.
days_back as (
    select {{ integers_to((var("duplicate_window_hours") | int) // 24 + 2) }} - 1 as days
),

pairs as (
    select
        later.ticket_key,
        earlier.ticket_key as earlier_ticket_key,
        later.created_at,
        earlier.created_at as earlier_created_at,
        later.bare_text,
        earlier.bare_text as earlier_bare_text,
        coalesce(later.problem_subtype = earlier.problem_subtype, false) as is_same_problem,
        coalesce(later.product = earlier.product, false) as is_same_product
    from requests as later
    cross join days_back
    inner join requests as earlier
        on later.customer_ref = earlier.customer_ref
        and cast(later.created_at as date) - days_back.days = cast(earlier.created_at as date)
        and later.channel <> earlier.channel
        and later.created_at <= earlier.created_at + interval '{{ var("duplicate_window_hours") }} hours'
        and (
            later.created_at > earlier.created_at
            or (later.created_at = earlier.created_at and later.ticket_key <> earlier.ticket_key
                and {{ bytewise("later.ticket_key") }} > {{ bytewise("earlier.ticket_key") }})
        )
        and coalesce(later.region = earlier.region, true)
        and coalesce(later.product = earlier.product, true)
    where {{ only_touched("later.ticket_key") }}
),

texts as (
    select
        ticket_key,
        bare_text
    from pairs
    where length(bare_text) > 1
    union
    select
        earlier_ticket_key,
        earlier_bare_text
    from pairs
    where length(earlier_bare_text) > 1
),

positions as (
    select {{ integers_to(400) }} as place
),

bigrams as (
    select distinct
        texts.ticket_key,
        substr(texts.bare_text, positions.place, 2) as bigram
    from texts
    inner join positions on positions.place < length(texts.bare_text)
),

sizes as (
    select
        ticket_key,
        count(*) as bigram_count
    from bigrams
    group by ticket_key
),

shared as (
    select
        pairs.ticket_key,
        pairs.earlier_ticket_key,
        count(*) as shared_count
    from pairs
    inner join bigrams as own on pairs.ticket_key = own.ticket_key
    inner join bigrams as other on pairs.earlier_ticket_key = other.ticket_key and own.bigram = other.bigram
    group by pairs.ticket_key, pairs.earlier_ticket_key
),

compared as (
    select
        pairs.*,
        case
            when pairs.bare_text = pairs.earlier_bare_text then 1.0
            -- Of a few characters any two greetings share the half.
            when least(own.bigram_count, other.bigram_count) >= 6
                then coalesce(shared.shared_count, 0)
                    / cast(least(own.bigram_count, other.bigram_count) as double precision)
        end as text_similarity
    from pairs
    left join sizes as own on pairs.ticket_key = own.ticket_key
    left join sizes as other on pairs.earlier_ticket_key = other.ticket_key
    left join shared
        on pairs.ticket_key = shared.ticket_key and pairs.earlier_ticket_key = shared.earlier_ticket_key
),

judged as (
    select
        *,
        case
            when text_similarity >= {{ var("duplicate_text_similarity") }} then 'same_words'
            when is_same_problem and is_same_product then 'same_product'
            when is_same_problem then 'same_problem'
        end as link_reason
    from compared
),

ranked as (
    select
        *,
        row_number() over (
            partition by ticket_key
            order by case when link_reason = 'same_problem' then 1 else 0 end, earlier_created_at,
                {{ bytewise("earlier_ticket_key") }}
        ) as best_first
    from judged
    where link_reason is not null
)

select
    ticket_key,
    earlier_ticket_key,
    case when link_reason = 'same_problem' then 'possible' else 'duplicate' end as link_kind,
    link_reason,
    text_similarity
from ranked
where best_first = 1
union all
select
    merged.ticket_key,
    target.ticket_key as earlier_ticket_key,
    'merged',
    'merged',
    cast(null as double precision)
from {{ ref("int_ticket_reasons") }} as merged
inner join {{ ref("stg_tickets") }} as target
    on merged.source = target.source and merged.merged_into_ticket_id = target.ticket_id
where merged.reason = 'merged' and merged.ticket_key <> target.ticket_key and {{ only_touched("merged.ticket_key") }}
