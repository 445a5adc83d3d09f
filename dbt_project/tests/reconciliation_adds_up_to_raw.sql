-- Every row of raw is in the reconciliation exactly once, under one outcome.
with counted as (
    select
        entity,
        sum(row_count) as row_count
    from {{ ref("agg_reconciliation") }}
    where outcome <> 'quarantined'
    group by entity
),

received as (
    select
        entity,
        sum(row_count) as row_count
    from {{ ref("stg_received_rows") }}
    where outcome <> 'quarantined'
    group by entity
)

select
    coalesce(counted.entity, received.entity) as entity,
    counted.row_count as reconciled_rows,
    received.row_count as raw_rows
from counted
full outer join received on counted.entity = received.entity
where coalesce(counted.row_count, 0) <> coalesce(received.row_count, 0)
