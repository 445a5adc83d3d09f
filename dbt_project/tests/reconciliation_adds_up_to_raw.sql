-- Every row of raw is in the reconciliation exactly once, under one outcome.
{%- for entity in ["tickets", "ticket_events", "messages", "feedback", "customers", "agents"] %}
{{ "union all" if not loop.first }}
select
    '{{ entity }}' as entity,
    counted.row_count as reconciled_rows,
    delivered.row_count as raw_rows
from (
    select coalesce(sum(row_count), 0) as row_count
    from {{ ref("agg_reconciliation") }}
    where entity = '{{ entity }}' and outcome <> 'quarantined'
) as counted
cross join (select count(*) as row_count from {{ source("raw", entity) }}) as delivered
where counted.row_count <> delivered.row_count
{%- endfor %}
