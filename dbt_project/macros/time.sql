{#- Instants are naive UTC; local ones are naive too and only live inside an expression. -#}

{% macro to_local(instant, zone=none) -%}
    (({{ instant }} at time zone 'UTC') at time zone {{ zone or "'" ~ var("timezone") ~ "'" }})
{%- endmacro %}

{% macro to_utc(local, zone) -%} (({{ local }} at time zone {{ zone }}) at time zone 'UTC') {%- endmacro %}

{% macro local_date(instant) -%} cast({{ to_local(instant) }} as date) {%- endmacro %}

{% macro utc_now() -%} (current_timestamp at time zone 'UTC') {%- endmacro %}

{% macro epoch(instant) -%}
    {#- Whole seconds; PostgreSQL's `extract` gives a decimal, which is slower, and a double holds a microsecond. -#}
    cast(floor(date_part('epoch', {{ instant }})) as bigint)
{%- endmacro %}

{% macro seconds_between(from_at, to_at) -%}
    {#-
    Whole seconds between two instants, each cut to its second, so that calendar and business time agree.
    NULL when either is NULL; 0 when a source's clock puts the end before the start.
    -#}
    case
        when {{ to_at }} < {{ from_at }} then 0
        else {{ epoch(to_at) }} - {{ epoch(from_at) }}
    end
{%- endmacro %}

{% macro business_clock(instant, segment) -%}
    {#- Open seconds of a schedule up to an instant that lies in `segment` (a row of int_service_clock). -#}
    {{ segment }}.business_seconds_before
    + {{ epoch("least(" ~ instant ~ ", " ~ segment ~ ".closes_at)") }} - {{ epoch(segment ~ ".segment_start_at") }}
{%- endmacro %}

{% macro in_segment(instant, schedule_id, segment) -%}
    {#- Exactly one segment holds an instant; the equality on the UTC date is what makes the look-up fast. -#}
    {{ segment }}.schedule_id = {{ schedule_id }}
    and {{ segment }}.utc_date = cast({{ instant }} as date)
    and {{ segment }}.segment_start_at <= {{ instant }}
    and {{ segment }}.segment_end_at > {{ instant }}
{%- endmacro %}

{% macro ticket_clock(instant, spans) -%}
    {#- Business seconds of a ticket until an instant: of `spans` and `segments` as join_ticket_clock() joins them. -#}
    {{ spans }}.business_seconds_before + {{ business_clock("date_trunc('second', " ~ instant ~ ")", spans ~ "_segments") }}
    - {{ spans }}.clock_from
{%- endmacro %}

{% macro join_ticket_clock(ticket_key, instant, spans) -%}
    {#- The hours that applied to a ticket at an instant, not joined where it lies before the ticket. -#}
    left join {{ ref("int_ticket_schedules") }} as {{ spans }}
        on {{ ticket_key }} = {{ spans }}.ticket_key
        and date_trunc('second', {{ instant }}) >= {{ spans }}.from_at
        and ({{ spans }}.to_at is null or date_trunc('second', {{ instant }}) < {{ spans }}.to_at)
        and {{ only_touched(spans ~ ".ticket_key") }}
    left join {{ ref("int_service_clock") }} as {{ spans }}_segments
        on {{ in_segment("date_trunc('second', " ~ instant ~ ")", spans ~ ".schedule_id", spans ~ "_segments") }}
{%- endmacro %}

{% macro stops(status, pauses_on) -%}
    {#- Whether a status is one of those that stop a clock, joined by '|'. A closed ticket is a solved one. -#}
    strpos(
        '|' || {{ pauses_on }} || '|',
        '|' || case when {{ status }} = 'closed' then 'solved' else {{ status }} end || '|'
    ) > 0
{%- endmacro %}
