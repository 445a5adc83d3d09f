{#- What the models of the flow share: clock look-ups of single instants and the groups that figures stand in. -#}

{% macro join_clock(ticket_key, instant, clock) -%}
    {#- Finds hours and segment of an instant of a ticket; `clock_seconds` of the same name reads them. -#}
    left join {{ ref("int_ticket_schedules") }} as {{ clock }}_spans
        on {{ ticket_key }} = {{ clock }}_spans.ticket_key
        and {{ instant }} >= {{ clock }}_spans.from_at
        and ({{ clock }}_spans.to_at is null or {{ instant }} < {{ clock }}_spans.to_at)
    left join {{ ref("int_service_clock") }} as {{ clock }}_segments
        on {{ in_segment(instant, clock ~ "_spans.schedule_id", clock ~ "_segments") }}
{%- endmacro %}

{% macro clock_seconds(instant, clock) -%}
    {#- Business seconds from the ticket's creation to an instant that `join_clock` has found. -#}
    {{ clock }}_spans.business_seconds_before + {{ business_clock(instant, clock ~ "_segments") }}
    - {{ clock }}_spans.clock_from
{%- endmacro %}

{% macro flow_dimensions() -%} channel, customer_tier, team, region, problem_type, problem_subtype {%- endmacro %}

{% macro dimensions_of(relation) -%}
    {%- for dimension in flow_dimensions().split(", ") %}
    {{ relation }}.{{ dimension }} {{- "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro dimension_columns() -%}
    {#- Names of the group that a row of `grouped_by_month` stands for. -#}
    case
        {%- for dimension in flow_dimensions().split(", ") %}
        when grouping({{ dimension }}) = 0 then '{{ dimension }}'
        {%- endfor %}
        else 'all'
    end as dimension,
    case
        {%- for dimension in flow_dimensions().split(", ") %}
        when grouping({{ dimension }}) = 0 then coalesce({{ dimension }}, 'unknown')
        {%- endfor %}
        else 'all'
    end as dimension_value
{%- endmacro %}

{% macro grouped_by_month(keys=[]) -%}
    {#- By month and each dimension at a time, in one scan; `keys` stand in every group. -#}
    {%- set always = (["period_start_on"] + keys) | join(", ") -%}
    group by grouping sets (
        ({{ always }})
        {%- for dimension in flow_dimensions().split(", ") %}, ({{ always }}, {{ dimension }}){% endfor %}
    )
{%- endmacro %}

{% macro minutes_spread(seconds, prefix="", suffix="business_minutes") -%}
    {#- Mean, P50, P90 and P95 of seconds, in minutes. Whole seconds add up exactly, whatever the order of threads. -#}
    cast(sum({{ seconds }}) as double precision) / nullif(count({{ seconds }}), 0) / 60 as mean_{{ prefix }}{{ suffix }},
    {%- for share in [50, 90, 95] %}
    {#- Written three times, the array is found once. #}
    ({{ percentiles(seconds) }})[{{ loop.index }}] / 60 as p{{ share }}_{{ prefix }}{{ suffix }}
    {{- "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro in_touched_month(created_on="created_on") -%}
    {{ only_touched_days("cast(date_trunc('month', " ~ created_on ~ ") as date)", "month") }}
{%- endmacro %}

{% macro microseconds(instant) -%}
    {#- An instant as a whole number that sorts like it. -#}
    cast(round(extract(epoch from {{ instant }}) * 1000000) as bigint)
{%- endmacro %}
