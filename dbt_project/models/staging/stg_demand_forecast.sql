select
    made_on,
    date_day,
    cast(hour_of_day as integer) as hour_of_day,
    channel,
    expected_count,
    low_count,
    high_count,
    method,
    is_backtest
from {{ source("demand", "forecast") }}
