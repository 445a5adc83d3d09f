select * from {{ ref("stg_actions") }}
