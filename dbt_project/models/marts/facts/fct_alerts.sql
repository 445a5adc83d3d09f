select * from {{ ref("stg_alerts") }}
