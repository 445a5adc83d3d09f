{% macro ticket_id_of(row) -%}
    {#- A ticket's number in its source, from `source` and `ticket_key`, which is source:ticket_id. -#}
    substr({{ row }}.ticket_key, length({{ row }}.source) + 2)
{%- endmacro %}
