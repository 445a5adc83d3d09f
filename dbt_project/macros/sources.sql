{% macro create_source_tables() -%}
    {#-
    Every table that the project reads exists, empty where nothing was loaded yet: raw entities a company doesn't
    have, `nlp.*` before the first scoring, decisions before the first one. Columns and keys come from _sources.yml,
    so the loaders' own `create table if not exists` finds what it would have made. Where a table exists, its columns
    have the types stated there: an increment relies on it (materializations/replaced.sql).
    -#}
    {%- if execute -%}
        {%- set stored = source_types() -%}
        {%- for source in graph.sources.values() -%}
            {%- set known = stored.get(source.schema ~ "." ~ source.identifier) -%}
            {%- if known is none -%}
                {%- do create_source_table(source) -%}
            {%- else -%}
                {%- do check_source_types(source, known) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro source_types() -%}
    {#- {schema.table: {column: type}} of all that exists in the sources' schemas. -#}
    {%- set found = run_query(
        "select table_schema || '.' || table_name, column_name, data_type from information_schema.columns"
        ~ " where table_catalog = current_database() and table_schema in ('"
        ~ graph.sources.values() | map(attribute="schema") | unique | join("', '") ~ "')"
    ) -%}
    {%- set stored = {} -%}
    {%- for row in found.rows -%}
        {%- do stored.setdefault(row[0], {}).update({row[1]: row[2]}) -%}
    {%- endfor -%}
    {{ return(stored) }}
{%- endmacro %}

{% macro check_source_types(source, known) -%}
    {%- for column in source.columns.values() if column.name in known -%}
        {%- if known[column.name] | lower != stored_type(column.data_type) -%}
            {{ exceptions.raise_compiler_error(
                source.schema ~ "." ~ source.identifier ~ "." ~ column.name ~ " is of type " ~ known[column.name]
                ~ " and should be " ~ column.data_type ~ ": alter the column, or drop the table and load it again"
            ) }}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro create_source_table(source) -%}
    {%- set columns = [] -%}
    {%- set key = source.meta.key -%}
    {%- for column in source.columns.values() -%}
        {%- do columns.append(
            adapter.quote(column.name) ~ " " ~ column.data_type ~ (" not null" if column.name in key)
        ) -%}
    {%- endfor -%}
    {%- do run_query("create schema if not exists " ~ adapter.quote(source.schema)) -%}
    {%- do run_query(
        "create table if not exists " ~ adapter.quote(source.schema) ~ "." ~ adapter.quote(source.identifier)
        ~ " (" ~ columns | join(", ") ~ ", primary key (" ~ key | join(", ") ~ "))"
    ) -%}
{%- endmacro %}
