with latest_effects as (
    select
        action_id,
        verdict,
        change_ratio,
        row_number() over (partition by action_id order by evaluated_on desc) as latest_first
    from {{ ref("fct_action_effects") }}
)

select
    actions.action_id,
    actions.card_id,
    actions.measure,
    actions.owner,
    actions.team,
    actions.started_on,
    actions.due_on,
    actions.done_on,
    actions.progress_percent,
    actions.status,
    actions.status in ('planned', 'in_progress')
    and coalesce(actions.due_on < {{ local_date("as_of.as_of_at") }}, false) as is_overdue,
    latest_effects.verdict as effect_verdict,
    latest_effects.change_ratio as effect_change_ratio,
    actions.note
from {{ ref("fct_actions") }} as actions
cross join {{ ref("int_as_of") }} as as_of
left join latest_effects on actions.action_id = latest_effects.action_id and latest_effects.latest_first = 1
