select
    made_on,
    channel,
    problem_type,
    share
from {{ source("demand", "forecast_shares") }}
