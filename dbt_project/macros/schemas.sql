{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- Plain names. On PostgreSQL readers use `mart`, which publishing replaces, so the build goes beside it. -#}
    {%- set name = (custom_schema_name or target.schema) | trim -%}
    {{- "mart_build" if name == "mart" and target.type == "postgres" else name -}}
{%- endmacro %}
