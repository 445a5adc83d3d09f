-- Spans of validity of one person without gaps, as the CRM states them and as it was known before. Who has several
-- records in the CRM has the best tier of those valid then, the sum of their revenues, and the first record's place.
-- The first span also serves what happened before it: a CRM seldom knows the past, and a customer's earliest known
-- tier is the best guess there.
{{ per_person() }}
with customers as (
    select
        customers.*,
        coalesce(identity.person_ref, customers.customer_ref) as person_ref
    from {{ ref("stg_customers") }} as customers
    left join {{ ref("stg_identity") }} as identity on customers.customer_ref = identity.ref
    where {{ only_touched_persons("coalesce(identity.person_ref, customers.customer_ref)") }}
),

persons as (
    select distinct
        customer_ref,
        person_ref
    from customers
),

{{ known_spans("customers", ref("customer_history"), "customer_ref") }},

records as (
    select
        known.customer_ref,
        persons.person_ref,
        known.holds_from_at as valid_from_at,
        lead(known.holds_from_at) over (partition by known.customer_ref order by known.holds_from_at) as valid_to_at,
        min(known.holds_from_at) over (partition by known.customer_ref) as known_from_at,
        known.tier,
        known.segment,
        known.region,
        known.annual_revenue,
        known.since_on
    from known
    inner join persons on known.customer_ref = persons.customer_ref
),

starts as (
    select distinct
        person_ref,
        valid_from_at
    from records
),

spans as (
    select
        starts.person_ref as customer_ref,
        starts.valid_from_at,
        (array_agg(
            records.tier
            order by
                case when records.tier = 'vip' then 0 else 1 end,
                records.known_from_at,
                {{ bytewise("records.customer_ref") }}
        ) filter (where records.tier is not null))[1] as tier,
        (array_agg(
            records.segment
            order by records.known_from_at, {{ bytewise("records.customer_ref") }}
        ) filter (where records.segment is not null))[1] as segment,
        (array_agg(
            records.region
            order by records.known_from_at, {{ bytewise("records.customer_ref") }}
        ) filter (where records.region is not null))[1] as region,
        sum(records.annual_revenue) as annual_revenue,
        min(records.since_on) as since_on
    from starts
    inner join records
        on starts.person_ref = records.person_ref
        and starts.valid_from_at >= records.valid_from_at
        and (records.valid_to_at is null or starts.valid_from_at < records.valid_to_at)
    group by starts.person_ref, starts.valid_from_at
)

select
    md5(customer_ref || '|' || cast(valid_from_at as text)) as customer_key,
    customer_ref,
    valid_from_at,
    lead(valid_from_at) over (partition by customer_ref order by valid_from_at) as valid_to_at,
    case
        when row_number() over (partition by customer_ref order by valid_from_at) > 1 then valid_from_at
        else timestamp '1900-01-01 00:00:00'
    end as serves_from_at,
    coalesce(
        lead(valid_from_at) over (partition by customer_ref order by valid_from_at), timestamp '9999-12-31 00:00:00'
    ) as serves_to_at,
    tier,
    segment,
    region,
    annual_revenue,
    since_on
from spans
