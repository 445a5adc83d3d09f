{#- The places where DuckDB and PostgreSQL differ; everything else is SQL that both run. -#}

{% macro days_between(from_on, to_on) -%}
    {{ return(adapter.dispatch("days_between", "huiyin")(from_on, to_on)) }}
{%- endmacro %}

{% macro duckdb__days_between(from_on, to_on) -%}
    cast(unnest(generate_series({{ from_on }}, {{ to_on }}, interval '1 day')) as date)
{%- endmacro %}

{% macro postgres__days_between(from_on, to_on) -%}
    cast(generate_series({{ from_on }}, {{ to_on }}, interval '1 day') as date)
{%- endmacro %}

{% macro integers_to(last) -%}
    {#- A row for each of 1 … last. -#}
    {{ return(adapter.dispatch("integers_to", "huiyin")(last)) }}
{%- endmacro %}

{% macro duckdb__integers_to(last) -%} cast(unnest(generate_series(1, {{ last }})) as integer) {%- endmacro %}

{% macro postgres__integers_to(last) -%} generate_series(1, {{ last }}) {%- endmacro %}

{% macro matches(text, pattern) -%}
    {#- Whether a text holds a pattern (POSIX subset that both engines know), upper and lower case alike. -#}
    {{ return(adapter.dispatch("matches", "huiyin")(text, pattern)) }}
{%- endmacro %}

{% macro duckdb__matches(text, pattern) -%} regexp_matches({{ text }}, '{{ pattern }}', 'i') {%- endmacro %}

{% macro postgres__matches(text, pattern) -%} ({{ text }} ~* '{{ pattern }}') {%- endmacro %}

{% macro percentiles(value) -%}
    {#- Median, 90th and 95th percentile as an array, straight lines between neighbours. -#}
    {{ return(adapter.dispatch("percentiles", "huiyin")(value)) }}
{%- endmacro %}

{% macro duckdb__percentiles(value) -%}
    quantile_cont(cast({{ value }} as double precision), [0.5, 0.9, 0.95])
{%- endmacro %}

{% macro postgres__percentiles(value) -%}
    percentile_cont(array[0.5, 0.9, 0.95]) within group (order by cast({{ value }} as double precision))
{%- endmacro %}

{% macro bytewise(text) -%}
    {#- Sorts a text by its bytes: PostgreSQL's order depends on its locale, DuckDB's doesn't. -#}
    {{ return(adapter.dispatch("bytewise", "huiyin")(text)) }}
{%- endmacro %}

{% macro duckdb__bytewise(text) -%} {{ text }} {%- endmacro %}

{% macro postgres__bytewise(text) -%} {{ text }} collate "C" {%- endmacro %}

{% macro first_of(value, by, where=none) -%}
    {#- An aggregate: the value, NULL or not, of the row that comes first by `by`, of those that meet `where`. -#}
    {{ return(adapter.dispatch("first_of", "huiyin")(value, by, where)) }}
{%- endmacro %}

{% macro duckdb__first_of(value, by, where) -%}
    arg_min_null({{ value }}, {{ by }}) {%- if where %} filter (where {{ where }}){% endif %}
{%- endmacro %}

{% macro postgres__first_of(value, by, where) -%}
    (array_agg({{ value }} order by {{ by }}) {%- if where %} filter (where {{ where }}){% endif %})[1]
{%- endmacro %}

{% macro last_of(value, by, where=none) -%}
    {#- An aggregate: the value, NULL or not, of the row that comes last by `by`, of those that meet `where`. -#}
    {{ return(adapter.dispatch("last_of", "huiyin")(value, by, where)) }}
{%- endmacro %}

{% macro duckdb__last_of(value, by, where) -%}
    arg_max_null({{ value }}, {{ by }}) {%- if where %} filter (where {{ where }}){% endif %}
{%- endmacro %}

{% macro postgres__last_of(value, by, where) -%}
    (array_agg({{ value }} order by {{ by }} desc) {%- if where %} filter (where {{ where }}){% endif %})[1]
{%- endmacro %}

{% macro quarter_hour(instant) -%}
    {#- The beginning of its quarter of an hour. -#}
    {{ return(adapter.dispatch("quarter_hour", "huiyin")(instant)) }}
{%- endmacro %}

{% macro duckdb__quarter_hour(instant) -%} time_bucket(interval '15 minutes', {{ instant }}) {%- endmacro %}

{% macro postgres__quarter_hour(instant) -%}
    date_bin(interval '15 minutes', {{ instant }}, timestamp '2000-01-01 00:00:00')
{%- endmacro %}

{% macro stored_type(declared) -%}
    {#- How information_schema calls a type of _sources.yml, in small letters. -#}
    {{ return(adapter.dispatch("stored_type", "huiyin")(declared)) }}
{%- endmacro %}

{% macro duckdb__stored_type(declared) -%}
    {{ return({"text": "varchar", "double precision": "double"}.get(declared, declared)) }}
{%- endmacro %}

{% macro postgres__stored_type(declared) -%}
    {{ return({"timestamp": "timestamp without time zone"}.get(declared, declared)) }}
{%- endmacro %}
