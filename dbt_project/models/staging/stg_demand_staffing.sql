select
    date_day,
    cast(hour_of_day as integer) as hour_of_day,
    staffing_group,
    made_on,
    expected_count,
    handling_seconds,
    load_erlangs,
    required_positions,
    required_agents,
    service_level,
    occupancy
from {{ source("demand", "staffing") }}
