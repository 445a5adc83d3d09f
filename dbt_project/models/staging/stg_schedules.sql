select
    _source as source,
    schedule_id,
    name,
    timezone,
    cast(iso_weekday as integer) as iso_weekday,
    opens,
    closes,
    coalesce(observes_holidays, false) as observes_holidays
from {{ source("raw", "schedules") }}
where _deleted_at is null
