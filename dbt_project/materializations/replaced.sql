{#-
How tables are written. dbt's own `table` and `incremental` make some twenty statements a model: they describe columns,
compare them, create beside, rename, drop, comment and index. In a full refresh that is right, and they do it. In an
increment nothing of it can have changed: SQL, contracts and descriptions are in the fingerprint of the build
(warehouse/builds.py), whose change makes it a full refresh, a missing table does likewise (warehouse/dbt.py), and the
types of the sources are those of _sources.yml (macros/sources.sql), so that no value is cast on its way into a column.
There the rows are replaced in place, in one transaction: a table's all, those of touched tickets, voices or days where
`rewritten_by` (macros/incremental.sql) says so. NOT NULL of the contracts holds as ever, it is the table's.
-#}

{% materialization table, adapter="duckdb" -%}
    {{ return(replace_rows(model, sql) if is_replaced(this) else dbt.materialization_table_duckdb()) }}
{%- endmaterialization %}

{% materialization table, adapter="postgres" -%}
    {{ return(replace_rows(model, sql) if is_replaced(this) else dbt.materialization_table_default()) }}
{%- endmaterialization %}

{% materialization incremental, adapter="duckdb" -%}
    {{ return(replace_rows(model, sql) if is_replaced(this) else dbt.materialization_incremental_duckdb()) }}
{%- endmaterialization %}

{% materialization incremental, adapter="postgres" -%}
    {{ return(replace_rows(model, sql) if is_replaced(this) else dbt.materialization_incremental_default()) }}
{%- endmaterialization %}

{% macro is_replaced(relation) -%}
    {%- set existing = load_cached_relation(relation) -%}
    {{ return(existing is not none and existing.type == "table" and not should_full_refresh()) }}
{%- endmacro %}

{% macro replace_rows(model, query) -%}
    {%- set written = model.config.meta.get("written") -%}
    {%- set columns = model.columns.keys() | join(", ") if model.config.contract.enforced else "" -%}
    {%- set place = this ~ (" (" ~ columns ~ ")" if columns else "") -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- call statement("main") -%}
        {%- if written %}
            delete from {{ this }} where ({{ written.key }}) in (select {{ written.touched_key }} from {{ ref(written.touched) }});
            insert into {{ place }}
            select {{ columns or "*" }} from (
                {{ query }}
            ) as fresh
        {%- else %}
            {#- The query may read what the table holds (carried_over). -#}
            create temporary table {{ model.name }}__fresh as (
                {{ query }}
            );
            delete from {{ this }};
            insert into {{ place }} select {{ columns or "*" }} from {{ model.name }}__fresh;
            drop table {{ model.name }}__fresh
        {%- endif %}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [this.incorporate(type="table")]}) }}
{%- endmacro %}
