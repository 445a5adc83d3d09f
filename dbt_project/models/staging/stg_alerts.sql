select
    alert_id,
    rule_code,
    metric,
    scope_key,
    scope_label,
    severity,
    state,
    started_on,
    fired_on,
    resolved_on,
    observed,
    expected,
    over_expected_ratio,
    p_value,
    window_days,
    card_id,
    note
from {{ source("raw", "alerts") }}
where _deleted_at is null
