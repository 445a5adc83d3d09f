{{ rewritten_by("int_touched_periods", "period_kind, period_start_on", "period_kind, period_start_on") }}
{#- Percentiles of few records say little: days are shown as a whole, weeks by what committees compare. -#}
{%- set dimensions_of = {
    "day": [],
    "week": ["channel", "customer_tier", "team", "problem_type"],
    "month": [
        "channel", "customer_tier", "team", "region", "problem_type", "problem_subtype", "product", "tenure_band",
        "complexity", "daypart",
    ],
    "quarter": [
        "channel", "customer_tier", "team", "region", "problem_type", "problem_subtype", "product", "tenure_band",
        "complexity", "daypart",
    ],
} -%}
{#- Waits of the requester grow until the ticket is solved. Of the replies the first is a metric of its own. -#}
{%- set metrics = {
    "first_response": "first_response_seconds is not null",
    "next_reply": "not is_first_response and ended_by = 'agent'",
    "first_resolution": "first_resolution_seconds is not null",
    "resolution": "resolution_seconds is not null",
    "requester_wait": "is_solved",
} -%}

with replies as (
    select
        replies.is_first_response,
        replies.ended_by,
        replies.reply_seconds as next_reply_seconds,
        replies.reply_business_seconds as next_reply_business_seconds,
        {%- for dimension in dimensions_of["month"] %}
        tickets.{{ dimension }},
        {%- endfor %}
        replies.created_on
    from {{ ref("fct_replies") }} as replies
    inner join {{ ref("fct_tickets") }} as tickets on replies.ticket_key = tickets.ticket_key
),

durations as (
    {%- for metric, records in metrics.items() %}
    {{ "union all" if not loop.first }}
    select
        '{{ metric }}' as duration_metric,
        created_on,
        {%- for dimension in dimensions_of["month"] %}
        coalesce({{ dimension }}, 'unknown') as {{ dimension }}_value,
        {%- endfor %}
        {{ metric }}_business_seconds as business_seconds,
        {{ metric }}_seconds as calendar_seconds
    from {{ "replies" if metric == "next_reply" else ref("fct_tickets") }}
    where {{ records }}
    {%- endfor %}
),

measured as (
    {%- for kind, dimensions in dimensions_of.items() %}
    {{ "union all" if not loop.first }}
    select
        '{{ kind }}' as period_kind,
        {{ period_start(kind, "created_on") }} as period_start_on,
        {%- if dimensions %}
        {{ grouping_columns(dimensions) }},
        {%- else %}
        'all' as dimension,
        'all' as dimension_value,
        {%- endif %}
        duration_metric,
        count(*) as observation_count,
        {%- for clock in ["business", "calendar"] %}
        sum({{ clock }}_seconds) as {{ clock }}_seconds,
        {{ percentiles(clock ~ "_seconds") }} as {{ clock }}_percentiles {{- "," if not loop.last }}
        {%- endfor %}
    from durations
    where {{ only_touched_days(period_start(kind, "created_on"), kind) }}
    {{ grouping_sets(period_start(kind, "created_on") ~ ", duration_metric", dimensions) }}
    {%- endfor %}
)

select
    period_kind,
    period_start_on,
    dimension,
    dimension_value,
    duration_metric,
    observation_count,
    {%- for clock in ["business", "calendar"] %}
    -- Whole seconds add up exactly, whatever the order.
    cast({{ clock }}_seconds as double precision) / observation_count / 60 as mean_{{ clock }}_minutes,
    {{ clock }}_percentiles[1] / 60 as p50_{{ clock }}_minutes,
    {{ clock }}_percentiles[2] / 60 as p90_{{ clock }}_minutes,
    {{ clock }}_percentiles[3] / 60 as p95_{{ clock }}_minutes {{- "," if not loop.last }}
    {%- endfor %}
from measured
