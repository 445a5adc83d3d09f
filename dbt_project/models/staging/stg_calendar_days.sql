select
    date_day,
    day_kind,
    is_workday,
    holiday_name
from {{ source("raw", "calendar_days") }}
