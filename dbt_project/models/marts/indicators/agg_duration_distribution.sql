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
{#-
Waits of the requester grow until the ticket is solved. Of the replies the first is a metric of its own. Seconds are
made floating once, since each group collects them anew; what is measured on one kind of record is grouped together.
-#}
{%- set measured = {
    "tickets": {
        "first_response": "first_response_seconds is not null",
        "first_resolution": "first_resolution_seconds is not null",
        "resolution": "resolution_seconds is not null",
        "requester_wait": "is_solved",
    },
    "replies": {"next_reply": "true"},
} -%}

with tickets as (
    select
        ticket_key,
        {%- for kind in dimensions_of %}
        {{ period_start(kind, "created_on") }} as {{ kind }}_start_on,
        {%- endfor %}
        {%- for dimension in dimensions_of["month"] %}
        coalesce({{ dimension }}, 'unknown') as {{ dimension }}_value,
        {%- endfor %}
        {%- for metric, condition in measured["tickets"].items() %}
        case when {{ condition }} then 1 end as is_{{ metric }},
        {%- for clock in ["business_seconds", "seconds"] %}
        case when {{ condition }} then cast({{ metric }}_{{ clock }} as double precision) end
            as {{ metric }}_{{ clock }} {{- "," if not loop.last }}
        {%- endfor %}
        {{- "," if not loop.last }}
        {%- endfor %}
    from {{ ref("fct_tickets") }}
),

replies as (
    select
        1 as is_next_reply,
        cast(replies.reply_seconds as double precision) as next_reply_seconds,
        cast(replies.reply_business_seconds as double precision) as next_reply_business_seconds,
        {%- for dimension in dimensions_of["month"] %}
        tickets.{{ dimension }}_value,
        {%- endfor %}
        {%- for kind in dimensions_of %}
        tickets.{{ kind }}_start_on {{- "," if not loop.last }}
        {%- endfor %}
    from {{ ref("fct_replies") }} as replies
    inner join tickets on replies.ticket_key = tickets.ticket_key
    where not replies.is_first_response and replies.ended_by = 'agent'
),

{%- for records, metrics in measured.items() %}
{%- for kind, dimensions in dimensions_of.items() %}
{{ records }}_by_{{ kind }} as (
    select
        '{{ kind }}' as period_kind,
        {{ kind }}_start_on as period_start_on,
        {%- if dimensions %}
        {{ grouping_columns(dimensions) }},
        {%- else %}
        'all' as dimension,
        'all' as dimension_value,
        {%- endif %}
        {%- for metric in metrics %}
        count(is_{{ metric }}) as {{ metric }}_count,
        {%- for clock in ["business_seconds", "seconds"] %}
        sum({{ metric }}_{{ clock }}) as {{ metric }}_{{ clock }},
        {{ percentiles(metric ~ "_" ~ clock) }} as {{ metric }}_{{ clock }}_percentiles {{- "," if not loop.last }}
        {%- endfor %}
        {{- "," if not loop.last }}
        {%- endfor %}
    from {{ records }}
    where {{ only_touched_days(kind ~ "_start_on", kind) }}
    {{ grouping_sets(kind ~ "_start_on", dimensions) }}
),
{%- endfor %}
{%- endfor %}

durations as (
    {%- for records, metrics in measured.items() %}
    {%- set outer = loop %}
    {%- for kind in dimensions_of %}
    {%- set middle = loop %}
    {%- for metric in metrics %}
    {{ "union all" if not (outer.first and middle.first and loop.first) }}
    select
        period_kind,
        period_start_on,
        dimension,
        dimension_value,
        '{{ metric }}' as duration_metric,
        {{ metric }}_count as observation_count,
        {{ metric }}_business_seconds as business_seconds,
        {{ metric }}_business_seconds_percentiles as business_percentiles,
        {{ metric }}_seconds as calendar_seconds,
        {{ metric }}_seconds_percentiles as calendar_percentiles
    from {{ records }}_by_{{ kind }}
    {%- endfor %}
    {%- endfor %}
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
    {{ clock }}_seconds / observation_count / 60 as mean_{{ clock }}_minutes,
    {{ clock }}_percentiles[1] / 60 as p50_{{ clock }}_minutes,
    {{ clock }}_percentiles[2] / 60 as p90_{{ clock }}_minutes,
    {{ clock }}_percentiles[3] / 60 as p95_{{ clock }}_minutes {{- "," if not loop.last }}
    {%- endfor %}
from durations
where observation_count > 0
