select
    source,
    reason,
    count(*) as ticket_count
from {{ ref("int_ticket_cleaning") }}
group by 1, 2
