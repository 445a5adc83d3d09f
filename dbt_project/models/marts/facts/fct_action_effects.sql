select * from {{ ref("stg_action_effects") }}
