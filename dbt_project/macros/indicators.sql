{% macro tenure_band(days) -%}
    case
        when {{ days }} is null then 'unknown'
        when {{ days }} < 90 then 'under_90d'
        when {{ days }} < 365 then '90d_to_1y'
        when {{ days }} < 1095 then '1y_to_3y'
        else 'over_3y'
    end
{%- endmacro %}

{% macro scaled(score, scale_min, scale_max, low, high) -%}
    {#- A score of any scale on another one; NULL when it lies outside its own scale or the scale has no extent. -#}
    case
        when {{ scale_max }} > {{ scale_min }} and {{ score }} between {{ scale_min }} and {{ scale_max }}
            then {{ low }} + ({{ score }} - {{ scale_min }}) / ({{ scale_max }} - {{ scale_min }}) * {{ high - low }}
    end
{%- endmacro %}

{% macro grouped_by_dimension(relation, date_column, measures) -%}
    {#-
    One row per day and value of one dimension at a time, in one scan. `measures` maps an indicator to the SQL of its
    numerator and denominator.
    -#}
    {%- set dimensions = [
        "channel", "customer_tier", "team", "region", "problem_type", "problem_subtype", "product", "tenure_band",
    ] -%}
    select
        {{ date_column }} as date_day,
        case
            {%- for dimension in dimensions %}
            when grouping({{ dimension }}) = 0 then '{{ dimension }}'
            {%- endfor %}
            else 'all'
        end as dimension,
        case
            {%- for dimension in dimensions %}
            when grouping({{ dimension }}) = 0 then coalesce({{ dimension }}, 'unknown')
            {%- endfor %}
            else 'all'
        end as dimension_value,
        {%- for code, (numerator, denominator) in measures.items() %}
        cast({{ numerator }} as double precision) as {{ code }}_numerator,
        cast({{ denominator }} as double precision) as {{ code }}_denominator {{- "," if not loop.last }}
        {%- endfor %}
    from {{ relation }}
    where {{ date_column }} is not null
    group by grouping sets (
        ({{ date_column }})
        {%- for dimension in dimensions %}, ({{ date_column }}, {{ dimension }}){% endfor %}
    )
{%- endmacro %}

{% macro one_row_per_indicator(relation, codes) -%}
    {%- for code in codes %}
    {{ "union all" if not loop.first }}
    select
        date_day,
        '{{ code }}' as indicator_code,
        dimension,
        dimension_value,
        {{ code }}_numerator as numerator,
        {{ code }}_denominator as denominator
    from {{ relation }}
    where {{ code }}_denominator > 0
    {%- endfor %}
{%- endmacro %}
