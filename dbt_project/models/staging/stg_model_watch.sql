select
    watch_kind,
    window_id,
    measure,
    model_version,
    week_start_on,
    text_count,
    reference_count,
    mean_value,
    reference_mean,
    drift_index,
    chance,
    is_drift,
    watched_at
from {{ source("nlp", "model_watch") }}
