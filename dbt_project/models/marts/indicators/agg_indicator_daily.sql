{#- Numerators are in the indicator's own unit, so that a mean of any period is sum(numerator) / sum(denominator). -#}
{%- set ticket_measures = {
    "ticket_count": ("count(*)", "1"),
    "first_response_minutes": (
        "sum(first_response_business_seconds) / 60.0", "count(first_response_business_seconds)",
    ),
    "resolution_hours": ("sum(resolution_business_seconds) / 3600.0", "count(resolution_business_seconds)"),
    "first_contact_resolution_share": (
        "count(*) filter (where is_first_contact_resolved)", "count(is_first_contact_resolved)",
    ),
    "reopen_share": (
        "count(*) filter (where first_resolved_at is not null and reopen_count > 0)", "count(first_resolved_at)",
    ),
    "repeat_contact_share": ("count(*) filter (where is_repeat_contact)", "count(*)"),
} -%}
{%- set sla_measures = {} -%}
{%- for metric in ["first_response", "resolution"] -%}
    {%- do sla_measures.update({
        metric ~ "_sla_met_share": (
            "count(*) filter (where sla_metric = '" ~ metric ~ "' and sla_state = 'met')",
            "count(*) filter (where sla_metric = '" ~ metric ~ "' and sla_state in ('met', 'breached'))",
        )
    }) -%}
{%- endfor -%}
{%- set feedback_measures = {
    "csat_mean": ("sum(csat_score)", "count(csat_score)"),
    "csat_satisfied_share": ("count(*) filter (where is_satisfied)", "count(csat_score)"),
    "nps": (
        "count(*) filter (where nps_group = 'promoter') - count(*) filter (where nps_group = 'detractor')",
        "count(nps_group)",
    ),
} -%}
{#- Whoever opens a ticket has a problem: its text is negative by nature. The share is measured on what customers say
    unasked or when asked for an opinion: reviews, posts, survey comments. -#}
{%- set voice_measures = {
    "negative_share": (
        "count(*) filter (where voice_kind <> 'ticket' and sentiment_label = 'negative')",
        "count(sentiment_label) filter (where voice_kind <> 'ticket')",
    ),
} -%}

with tickets as (
    select
        *,
        {{ tenure_band("agent_tenure_days") }} as tenure_band
    from {{ ref("fct_tickets") }}
),

sla as (
    select
        clocks.sla_metric,
        clocks.sla_state,
        clocks.created_on,
        clocks.channel,
        clocks.customer_tier,
        clocks.team,
        clocks.region,
        clocks.problem_type,
        clocks.problem_subtype,
        tickets.product,
        tickets.tenure_band
    from {{ ref("fct_sla") }} as clocks
    inner join tickets on clocks.ticket_key = tickets.ticket_key
),

feedback as (
    select
        *,
        {{ tenure_band("agent_tenure_days") }} as tenure_band
    from {{ ref("fct_feedback") }}
),

voices as (
    select
        meaning.*,
        {{ tenure_band("voices.agent_tenure_days") }} as tenure_band
    from {{ ref("fct_sentiment") }} as meaning
    inner join {{ ref("int_voices") }} as voices on meaning.voice_id = voices.voice_id
),

tickets_grouped as (
    {{ grouped_by_dimension("tickets", "created_on", ticket_measures) }}
),

sla_grouped as (
    {{ grouped_by_dimension("sla", "created_on", sla_measures) }}
),

feedback_grouped as (
    {{ grouped_by_dimension("feedback", "created_on", feedback_measures) }}
),

voices_grouped as (
    {{ grouped_by_dimension("voices", "occurred_on", voice_measures) }}
)

{{ one_row_per_indicator("tickets_grouped", ticket_measures) }}
union all
{{ one_row_per_indicator("sla_grouped", sla_measures) }}
union all
{{ one_row_per_indicator("feedback_grouped", feedback_measures) }}
union all
{{ one_row_per_indicator("voices_grouped", voice_measures) }}
