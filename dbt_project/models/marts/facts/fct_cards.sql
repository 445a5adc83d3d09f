select * from {{ ref("stg_cards") }}
