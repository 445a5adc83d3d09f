{{ per_day() }}
-- depends_on: {{ ref("fct_tickets") }}, {{ ref("fct_sla") }}, {{ ref("fct_feedback") }}, {{ ref("fct_sentiment") }}
{{ indicators_by_day() }}
