select
    staffing.date_day,
    staffing.hour_of_day,
    staffing.staffing_group,
    targets.group_zh,
    targets.team,
    targets.method,
    staffing.made_on,
    staffing.expected_count,
    staffing.handling_seconds,
    staffing.load_erlangs,
    staffing.required_positions,
    staffing.required_agents,
    staffing.service_level,
    staffing.occupancy,
    targets.service_level as target_service_level,
    targets.target_seconds,
    targets.concurrency,
    targets.shrinkage
from {{ ref("stg_demand_staffing") }} as staffing
inner join {{ ref("staffing_targets") }} as targets on staffing.staffing_group = targets.staffing_group
