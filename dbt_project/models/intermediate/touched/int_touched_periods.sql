-- Days, weeks, months and quarters of which something changes in this build.
{%- for kind in ["day", "week", "month", "quarter"] %}
{{ "union" if not loop.first }}
select
    '{{ kind }}' as period_kind,
    {{ period_start(kind, "date_day") }} as period_start_on
from {{ ref("int_touched_days") }}
{%- endfor %}
