-- Tickets that are the same request as an earlier one, with the first one: a double of a double is one of the first.
-- The limit ends tickets that are merged into each other.
with recursive chains as (
    select
        ticket_key,
        earlier_ticket_key as first_ticket_key,
        1 as depth
    from {{ ref("int_ticket_doubles") }}
    union all
    select
        chains.ticket_key,
        doubles.earlier_ticket_key,
        chains.depth + 1
    from chains
    inner join {{ ref("int_ticket_doubles") }} as doubles on chains.first_ticket_key = doubles.ticket_key
    where doubles.link_kind <> 'possible' and chains.depth < 10
),

firsts as (
    select
        ticket_key,
        (array_agg(first_ticket_key order by depth desc))[1] as first_ticket_key
    from chains
    group by ticket_key
)

select
    doubles.ticket_key,
    firsts.first_ticket_key as duplicate_of_ticket_key,
    tickets.ticket_id as duplicate_of_ticket_id,
    doubles.link_kind,
    doubles.link_reason,
    doubles.text_similarity
from {{ ref("int_ticket_doubles") }} as doubles
inner join firsts on doubles.ticket_key = firsts.ticket_key
inner join {{ ref("stg_tickets") }} as tickets on firsts.first_ticket_key = tickets.ticket_key
where doubles.ticket_key <> firsts.first_ticket_key
