-- depends_on: {{ ref("stg_identity") }}, {{ ref("stg_customers") }}
{%- set read = loaded_since("customers") %}
{%- if is_first_build() %}
select
    cast(null as text) as person_ref,
    cast(null as timestamp) as from_at
where false
{%- else %}
-- Persons of whom something changed since the last build, and from when on: a new version of a customer leaves what
-- happened before it alone, unless it is the first one, which also serves what was before.
with moved as (
    select
        coalesce(before.person_ref, before.ref, now.ref) as person_before,
        coalesce(now.person_ref, now.ref, before.ref) as person_now
    from {{ built("int_identity") }} as before
    full outer join {{ ref("stg_identity") }} as now on before.ref = now.ref
),

changed as (
    select
        customer_ref,
        min(valid_from_at) as from_at
    from ({{ loaded_since("customers") }}) as loaded
    group by customer_ref
),

dated as (
    select
        changed.customer_ref,
        case when count(versions.customer_ref) > 0 then changed.from_at else timestamp '1900-01-01 00:00:00' end
            as from_at
    from changed
    left join {{ ref("stg_customers") }} as versions
        on changed.customer_ref = versions.customer_ref and changed.from_at > versions.valid_from_at
    group by changed.customer_ref, changed.from_at
),

found as (
    select
        person_before as person_ref,
        timestamp '1900-01-01 00:00:00' as from_at
    from moved
    where person_before <> person_now
    union all
    select
        person_now,
        timestamp '1900-01-01 00:00:00'
    from moved
    where person_before <> person_now
    union all
    select
        coalesce(identity.person_ref, dated.customer_ref),
        dated.from_at
    from dated
    left join {{ ref("stg_identity") }} as identity on dated.customer_ref = identity.ref
    {{ carried_over("person_ref, from_at") }}
)

select
    person_ref,
    min(from_at) as from_at
from found
group by person_ref
{%- endif %}
