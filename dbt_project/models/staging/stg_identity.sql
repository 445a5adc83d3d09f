select
    ref,
    person_ref
from {{ source("raw", "identity") }}
