{{ per_day("period_start_on", "month") }}
-- What became of the tickets that a bot took part in. A human is on a ticket by a public message or by a change.
with touched as (
    select
        tickets.ticket_key,
        cast(date_trunc('month', tickets.created_on) as date) as period_start_on,
        tickets.channel,
        tickets.is_solved,
        tickets.reopen_count,
        tickets.is_first_contact_resolved,
        tickets.resolution_seconds,
        least(
            coalesce(tickets.first_bot_response_at, handling.first_bot_event_at),
            coalesce(handling.first_bot_event_at, tickets.first_bot_response_at)
        ) as bot_at,
        least(
            coalesce(tickets.first_response_at, handling.first_agent_event_at),
            coalesce(handling.first_agent_event_at, tickets.first_response_at)
        ) as human_at
    from {{ ref("fct_tickets") }} as tickets
    left join {{ ref("int_ticket_handling") }} as handling on tickets.ticket_key = handling.ticket_key
    where {{ in_touched_month("tickets.created_on") }}
),

tickets as (
    select
        *,
        bot_at is not null as has_bot,
        bot_at is not null and human_at is null and is_solved as is_solved_by_bot,
        bot_at is not null and human_at is not null as is_handed_over,
        case when human_at >= bot_at then {{ seconds_between("bot_at", "human_at") }} end as handover_seconds
    from touched
),

grouped as (
    select
        period_start_on,
        case when grouping(channel) = 0 then channel else 'all' end as channel,
        count(*) as ticket_count,
        count(*) filter (where has_bot) as bot_ticket_count,
        count(*) filter (where is_solved_by_bot) as bot_solved_count,
        count(*) filter (where is_handed_over) as handed_to_human_count,
        count(*) filter (where has_bot and not is_solved_by_bot and not is_handed_over) as unsolved_count,
        count(*) filter (where is_solved_by_bot and reopen_count > 0) as reopened_after_bot_count,
        count(*) filter (where is_solved_by_bot and reopen_count = 0 and not is_first_contact_resolved)
            as repeated_after_bot_count,
        {{ minutes_spread("handover_seconds", "handover_", "minutes") }},
        cast(percentile_cont(0.5) within group (
            order by case when is_solved_by_bot then resolution_seconds end
        ) as double precision) / 60 as p50_bot_resolution_minutes
    from tickets
    group by grouping sets ((period_start_on), (period_start_on, channel))
)

select
    period_start_on,
    channel,
    ticket_count,
    bot_ticket_count,
    cast(bot_ticket_count as double precision) / ticket_count as bot_ticket_share,
    bot_solved_count,
    cast(bot_solved_count as double precision) / nullif(bot_ticket_count, 0) as bot_resolution_share,
    handed_to_human_count,
    cast(handed_to_human_count as double precision) / nullif(bot_ticket_count, 0) as handed_to_human_share,
    unsolved_count,
    reopened_after_bot_count,
    repeated_after_bot_count,
    cast(reopened_after_bot_count + repeated_after_bot_count as double precision) / nullif(bot_solved_count, 0)
        as failed_bot_solution_share,
    mean_handover_minutes,
    p50_handover_minutes,
    p90_handover_minutes,
    p95_handover_minutes,
    p50_bot_resolution_minutes
from grouped
