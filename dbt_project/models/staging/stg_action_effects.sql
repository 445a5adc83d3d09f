select
    action_id,
    evaluated_on,
    metric,
    baseline_from_on,
    baseline_to_on,
    evaluation_from_on,
    evaluation_to_on,
    baseline_mean,
    observed_mean,
    change_ratio,
    change_ratio_low,
    change_ratio_high,
    p_value,
    verdict,
    knowable_on,
    method
from {{ source("raw", "action_effects") }}
where _deleted_at is null
