-- What agents explained again and again in the four weeks before the gaps were found, against the four weeks before.
-- A ticket counts in the weeks that it was created in, with all work on it since.
with gaps as (
    select * from {{ ref("stg_knowledge_gaps") }}
),

spans as (
    select
        computed_on,
        cast(computed_on - interval '28 days' as date) as before_on,
        cast(computed_on - interval '56 days' as date) as first_on
    from (select max(computed_on) as computed_on from gaps) as newest
),

worked as (
    select
        ticket_key,
        sum(seconds) as agent_seconds
    from {{ ref("int_handling_spans") }}
    group by ticket_key
),

tickets as (
    select
        'ticket:' || tickets.ticket_key as voice_id,
        tickets.created_on > spans.before_on as is_now,
        coalesce(worked.agent_seconds, 0) as agent_seconds
    from {{ ref("int_tickets") }} as tickets
    cross join spans
    left join worked on tickets.ticket_key = worked.ticket_key
    where tickets.reason = 'reportable'
        and tickets.created_on > spans.first_on
        and tickets.created_on <= spans.computed_on
),

totals as (
    select
        count(*) filter (where is_now) as ticket_count,
        sum(agent_seconds) filter (where is_now) as agent_seconds
    from tickets
),

asked as (
    select
        questions.gap_id,
        count(*) filter (where tickets.is_now) as ticket_count,
        count(*) filter (where not tickets.is_now) as previous_ticket_count,
        coalesce(sum(tickets.agent_seconds) filter (where tickets.is_now), 0) as agent_seconds,
        coalesce(sum(tickets.agent_seconds) filter (where not tickets.is_now), 0) as previous_agent_seconds
    from {{ ref("stg_knowledge_questions") }} as questions
    inner join tickets on questions.voice_id = tickets.voice_id
    group by questions.gap_id
)

select
    gaps.gap_id,
    gaps.question,
    case
        when gaps.article_id is not null then 'not_found'
        when gaps.answer is not null then 'missing'
        else 'unanswered'
    end as state,
    gaps.first_seen_on,
    coalesce(asked.ticket_count, 0) as ticket_count,
    coalesce(asked.previous_ticket_count, 0) as previous_ticket_count,
    cast(asked.ticket_count as double precision) / nullif(asked.previous_ticket_count, 0) - 1 as change_ratio,
    cast(coalesce(asked.ticket_count, 0) as double precision) / nullif(totals.ticket_count, 0) as ticket_share,
    cast(coalesce(asked.agent_seconds, 0) as double precision) / 60 as agent_minutes,
    cast(coalesce(asked.previous_agent_seconds, 0) as double precision) / 60 as previous_agent_minutes,
    cast(coalesce(asked.agent_seconds, 0) as double precision) / nullif(totals.agent_seconds, 0) as agent_time_share,
    gaps.held_count,
    gaps.support_count,
    gaps.answer,
    substr(gaps.answer_voice_id, 8) as answer_ticket_key,
    gaps.article_source,
    gaps.article_id,
    gaps.article_title,
    gaps.article_url,
    gaps.article_likeness,
    gaps.variants,
    gaps.draft,
    gaps.computed_on
from gaps
cross join totals
left join asked on gaps.gap_id = asked.gap_id
