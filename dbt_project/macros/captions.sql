{% macro mart_columns() -%}
    {#-
    A row for each public mart (column_name is empty, column_position 0) and each of its columns, from the property
    files: table_name, column_name, column_position, caption_en, description, unit, kind. The unit follows from the
    name, which says it by the project's conventions; numbers with a unit are measures.
    -#}
    {%- set units = {
        "seconds": "秒", "minutes": "分钟", "hours": "小时", "days": "天", "count": "个", "percent": "%",
        "share": "比率", "ratio": "比率",
    } -%}
    {%- set numbers = ["integer", "bigint", "double precision"] -%}
    {%- set rows = [] -%}
    {%- if execute -%}
        {%- for model in graph.nodes.values() if model.resource_type == "model" and model.config.schema == "mart" -%}
            {%- do rows.append((model.name, "", 0, model.description, none, "table")) -%}
            {%- for column in model.columns.values() -%}
                {%- set words = column.name.split("_") -%}
                {%- set found = [] -%}
                {%- if column.data_type in numbers -%}
                    {%- for word in words if word in units %}{% do found.append(units[word]) %}{% endfor -%}
                {%- endif -%}
                {%- set unit = found | first if found else none -%}
                {%- if column.data_type in ["date", "timestamp"] -%} {%- set kind = "time" -%}
                {%- elif column.data_type == "boolean" -%} {%- set kind = "flag" -%}
                {%- elif words[-1] in ["key", "id", "ref"] -%} {%- set kind = "key" -%}
                {%- elif column.data_type in numbers -%} {%- set kind = "number" -%}
                {%- else -%} {%- set kind = "dimension" -%}
                {%- endif -%}
                {%- do rows.append((model.name, column.name, loop.index, column.description, unit, kind)) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- else -%}
        {%- do rows.append(("", "", 0, "", none, "table")) -%}
    {%- endif -%}
    select
        table_name,
        column_name,
        column_position,
        description,
        unit,
        kind
    from (
        values
        {%- for table_name, column_name, position, description, unit, kind in rows | sort %}
        (
            '{{ table_name }}', '{{ column_name }}', {{ position }}, '{{ description | replace("'", "''") | trim }}',
            {{ "'" ~ unit ~ "'" if unit else "cast(null as text)" }}, '{{ kind }}'
        ) {{- "," if not loop.last }}
        {%- endfor %}
    ) as listed (table_name, column_name, column_position, description, unit, kind)
{%- endmacro %}
