select
    customer_ref,
    segment_id,
    segment_zh,
    risk,
    risk_method,
    priority,
    reasons_zh,
    revenue_at_risk,
    contact_count,
    main_topic,
    computed_on
from {{ source("nlp", "customer_insights") }}
