{% macro tenure_band(days) -%}
    case
        when {{ days }} is null then 'unknown'
        when {{ days }} < 90 then 'under_90d'
        when {{ days }} < 365 then '90d_to_1y'
        when {{ days }} < 1095 then '1y_to_3y'
        else 'over_3y'
    end
{%- endmacro %}

{% macro daypart(local_instant) -%}
    case
        when extract(hour from {{ local_instant }}) in ({{ var("peak_hours") | join(", ") }}) then 'peak'
        else 'off_peak'
    end
{%- endmacro %}

{% macro scaled(score, scale_min, scale_max, low, high) -%}
    {#- A score of any scale on another one; NULL when it lies outside its own scale or the scale has no extent. -#}
    case
        when {{ scale_max }} > {{ scale_min }} and {{ score }} between {{ scale_min }} and {{ scale_max }}
            then {{ low }} + ({{ score }} - {{ scale_min }}) / ({{ scale_max }} - {{ scale_min }}) * {{ high - low }}
    end
{%- endmacro %}

{% macro indicator_dimensions() -%}
    {#- What each fact of an indicator can be grouped by; a column of that name in all of them. -#}
    {{ return([
        "channel", "customer_tier", "team", "region", "problem_type", "problem_subtype", "product", "tenure_band",
        "complexity", "daypart",
    ]) }}
{%- endmacro %}

{% macro indicator_measures() -%}
    {#-
    Where each indicator comes from: the fact with its day, and of each indicator the rows that count and what one of
    them adds. Numerator = sum(value) ÷ divisor, denominator = number of rows. Values are whole numbers where the data
    are: their sum doesn't depend on the order in which threads add.
    -#}
    {%- set met = "case when sla_state = 'met' then 1 else 0 end" -%}
    {#-
    Whoever opens a ticket has a problem: its text is negative by nature. The share of negative voices is measured
    on what customers say unasked or when asked for an opinion: reviews, posts, survey comments. A text that many
    paste is one voice, noise is none.
    -#}
    {{ return({
        "fct_tickets": {"day": "created_on", "indicators": {
            "ticket_count": {"value": "1", "divisor": 1, "rows": "true"},
            "first_response_minutes": {
                "value": "first_response_business_seconds", "divisor": 60,
                "rows": "first_response_business_seconds is not null",
            },
            "resolution_hours": {
                "value": "resolution_business_seconds", "divisor": 3600,
                "rows": "resolution_business_seconds is not null",
            },
            "first_contact_resolution_share": {
                "value": "case when is_first_contact_resolved then 1 else 0 end", "divisor": 1,
                "rows": "is_first_contact_resolved is not null",
            },
            "reopen_share": {
                "value": "case when reopen_count > 0 then 1 else 0 end", "divisor": 1,
                "rows": "first_resolved_at is not null",
            },
            "repeat_contact_share": {
                "value": "case when is_repeat_contact then 1 else 0 end", "divisor": 1, "rows": "true",
            },
        }},
        "fct_sla": {"day": "created_on", "indicators": {
            "first_response_sla_met_share": {
                "value": met, "divisor": 1,
                "rows": "sla_metric = 'first_response' and sla_state in ('met', 'breached')",
            },
            "resolution_sla_met_share": {
                "value": met, "divisor": 1, "rows": "sla_metric = 'resolution' and sla_state in ('met', 'breached')",
            },
        }},
        "fct_feedback": {"day": "created_on", "indicators": {
            "csat_mean": {"value": "csat_score", "divisor": 1, "rows": "csat_score is not null"},
            "csat_satisfied_share": {
                "value": "case when is_satisfied then 1 else 0 end", "divisor": 1, "rows": "csat_score is not null",
            },
            "nps": {
                "value": "case nps_group when 'promoter' then 1 when 'detractor' then -1 else 0 end", "divisor": 1,
                "rows": "nps_group is not null",
            },
        }},
        "fct_sentiment": {"day": "occurred_on", "indicators": {
            "negative_share": {
                "value": "case when sentiment_label = 'negative' then 1 else 0 end", "divisor": 1,
                "rows": "voice_kind <> 'ticket' and sentiment_label is not null and is_counted",
            },
        }},
    }) }}
{%- endmacro %}

{% macro with_known_values(relation) -%}
    {#- The rows of a fact with each dimension's value in `<dimension>_value`, unknown where there is none. -#}
    (
        select
            *,
            {%- for dimension in indicator_dimensions() %}
            coalesce({{ dimension }}, 'unknown') as {{ dimension }}_value {{- "," if not loop.last }}
            {%- endfor %}
        from {{ relation }}
    )
{%- endmacro %}

{% macro grouping_columns(dimensions) -%}
    {#- Name and value of the one dimension that a row of grouping_sets is grouped by. -#}
        case
            {%- for dimension in dimensions %}
            when grouping({{ dimension }}_value) = 0 then '{{ dimension }}'
            {%- endfor %}
            else 'all'
        end as dimension,
        case
            {%- for dimension in dimensions %}
            when grouping({{ dimension }}_value) = 0 then {{ dimension }}_value
            {%- endfor %}
            else 'all'
        end as dimension_value
{%- endmacro %}

{% macro grouping_sets(keys, dimensions) -%}
    group by grouping sets (
        ({{ keys }})
        {%- for dimension in dimensions %}, ({{ keys }}, {{ dimension }}_value){% endfor %}
    )
{%- endmacro %}

{% macro indicators_by_day() -%}
    {#- One row per day, indicator and value of one dimension at a time, each fact in one scan. -#}
    {%- set facts = indicator_measures() -%}
    {%- set dimensions = indicator_dimensions() -%}
    with
    {%- for fact, measured in facts.items() %}
    {{ fact }}_by_day as (
        select
            {{ measured.day }} as date_day,
            {{ grouping_columns(dimensions) }},
            {%- for code, measure in measured.indicators.items() %}
            cast(sum({{ measure.value }}) filter (where {{ measure.rows }}) as double precision)
            {{- " / " ~ measure.divisor if measure.divisor != 1 }} as {{ code }}_numerator,
            count(*) filter (where {{ measure.rows }}) as {{ code }}_denominator {{- "," if not loop.last }}
            {%- endfor %}
        from {{ with_known_values(ref(fact)) }} as facts
        where {{ only_touched_days(measured.day) }}
        {{ grouping_sets(measured.day, dimensions) }}
    ) {{- "," if not loop.last }}
    {%- endfor %}
    {%- for fact, measured in facts.items() %}
    {%- set first_fact = loop.first %}
    {%- for code in measured.indicators %}
    {{ "union all" if not (first_fact and loop.first) }}
    select
        date_day,
        '{{ code }}' as indicator_code,
        dimension,
        dimension_value,
        {{ code }}_numerator as numerator,
        {#- A count is a sum of ones over one. #}
        cast({{ "1" if code == "ticket_count" else code ~ "_denominator" }} as double precision) as denominator
    from {{ fact }}_by_day
    where {{ code }}_denominator > 0
    {%- endfor %}
    {%- endfor %}
{%- endmacro %}

{% macro indicator_drill_down() -%}
    {#- Where the records of each indicator are, for people: the same definitions that indicators_by_day sums up. -#}
    {%- for fact, measured in indicator_measures().items() %}
    {%- set first_fact = loop.first %}
    {%- for code, measure in measured.indicators.items() %}
    {{ "union all" if not (first_fact and loop.first) }}
    select
        '{{ code }}' as indicator_code,
        '{{ fact }}' as fact_table,
        '{{ measured.day }}' as day_column,
        '{{ measure.rows | replace("'", "''") }}' as rows_where,
        '{{ measure.value | replace("'", "''") }}' as value_sql,
        {{ measure.divisor }} as divisor
    {%- endfor %}
    {%- endfor %}
{%- endmacro %}

{% macro period_start(period_kind, day) -%} cast(date_trunc('{{ period_kind }}', {{ day }}) as date) {%- endmacro %}

{% macro period_length(period_kind) -%}
    interval '{{ "3 months" if period_kind == "quarter" else "1 " ~ period_kind }}'
{%- endmacro %}

{% macro next_period(period_kind, start) -%}
    {#- First day of the period after the one that begins on `start`; `period_kind` is SQL. -#}
    cast(
        case {{ period_kind }}
            {%- for kind in ["day", "week", "month", "quarter"] %}
            when '{{ kind }}' then {{ start }} + {{ period_length(kind) }}
            {%- endfor %}
        end as date
    )
{%- endmacro %}

{% macro year_before(period_kind, start) -%}
    {#- The period a year ago; of days and weeks 52 weeks, so that weekdays match. -#}
    cast(
        case
            when {{ period_kind }} in ('month', 'quarter') then {{ start }} - interval '1 year'
            else {{ start }} - interval '364 days'
        end as date
    )
{%- endmacro %}

{% macro year_after(period_kind, start) -%}
    cast(
        case
            when {{ period_kind }} in ('month', 'quarter') then {{ start }} + interval '1 year'
            else {{ start }} + interval '364 days'
        end as date
    )
{%- endmacro %}

{% macro previous_period(period_kind, start) -%}
    cast(
        case {{ period_kind }}
            {%- for kind in ["day", "week", "month", "quarter"] %}
            when '{{ kind }}' then {{ start }} - {{ period_length(kind) }}
            {%- endfor %}
        end as date
    )
{%- endmacro %}

{% macro is_volatile(value, before) -%}
    abs({{ value }} - {{ before }}) > {{ var("volatility_tolerance") }} * abs({{ before }})
{%- endmacro %}
