select
    action_id,
    card_id,
    measure,
    scope_key,
    metric,
    owner,
    team,
    started_on,
    due_on,
    done_on,
    status,
    progress_percent,
    target_change_ratio,
    note
from {{ source("raw", "actions") }}
where _deleted_at is null
