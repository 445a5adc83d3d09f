-- Who is who in this build; the next one sees by it who changed.
-- depends_on: {{ ref("int_touched_days") }}
select
    ref,
    person_ref
from {{ ref("stg_identity") }}
