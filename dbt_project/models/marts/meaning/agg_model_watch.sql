-- What was watched of the models, as it was found; the words for it are the report's.
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
from {{ ref("stg_model_watch") }}
