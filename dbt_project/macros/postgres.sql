{#- What PostgreSQL needs to find good plans for tables that were made a moment ago; DuckDB needs none of it. -#}

{% macro analyze_sources() -%}
    {#- PostgreSQL plans fresh tables badly until it has counted them; DuckDB counts by itself. -#}
    {%- if execute and target.type == "postgres" -%}
        {%- for source in graph.sources.values() -%}
            {%- do run_query("analyze " ~ adapter.quote(source.schema) ~ "." ~ adapter.quote(source.identifier)) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro analyze_this() -%}
    {%- if target.type == "postgres" -%} analyze {{ this }} {%- endif -%}
{%- endmacro %}

{% macro plan_in_bulk() -%}
    {#-
    Until the end of the model's transaction PostgreSQL joins whole tables by hashing or merging. It takes a join on two
    columns (a ticket and an instant of it) to find one row where it finds thousands, and would then go through a whole
    table for each. An increment keeps the look-ups by index, which make it independent of the history; sums (agg_…)
    look up nothing.
    -#}
    {%- if target.type == "postgres" and (this.identifier.startswith("agg_") or not is_increment()) -%}
    set local enable_nestloop = off
    {%- endif -%}
{%- endmacro %}

{% macro looked_up_by(key) -%}
    {#- Each key stands once in this table. Without the index every row that is compared with it reads all of it. -#}
    {{ config(indexes=[{"columns": [key], "unique": true}] if target.type == "postgres" else []) }}
{%- endmacro %}
