select
    schedule_id,
    segment_start_at as window_start_at,
    segment_end_at as window_end_at,
    business_seconds_before
from {{ ref("int_service_segments") }}
where is_open
