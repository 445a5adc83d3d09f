-- Tier and revenue as they are now; the list itself is of the day it was computed.
select
    insights.customer_ref,
    insights.segment_id,
    insights.segment_zh,
    insights.risk,
    insights.risk_method,
    insights.priority,
    insights.reasons_zh,
    insights.revenue_at_risk,
    customers.tier as customer_tier,
    customers.region,
    customers.annual_revenue,
    insights.contact_count,
    insights.main_topic,
    insights.computed_on
from {{ ref("stg_customer_insights") }} as insights
left join {{ ref("dim_customer") }} as customers
    on insights.customer_ref = customers.customer_ref and customers.is_current
