-- Periods whose own figures, or those they are compared with, change in this build: so do those after and a year later.
select
    period_kind,
    period_start_on
from {{ ref("int_touched_periods") }}
union
select
    period_kind,
    {{ next_period("period_kind", "period_start_on") }}
from {{ ref("int_touched_periods") }}
union
select
    period_kind,
    {{ year_after("period_kind", "period_start_on") }}
from {{ ref("int_touched_periods") }}
