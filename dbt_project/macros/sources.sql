{% macro create_source_tables() -%}
    {#-
    Every table that the project reads exists, empty where nothing was loaded yet: raw entities a company doesn't
    have, `nlp.*` before the first scoring, decisions before the first one. Columns and keys come from _sources.yml,
    so the loaders' own `create table if not exists` finds what it would have made.
    -#}
    {%- if execute -%}
        {%- for source in graph.sources.values() -%}
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
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
