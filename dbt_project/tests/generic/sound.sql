{#-
One query that checks a whole table: its key, row rules, references and that it isn't empty when its source isn't.
Returns one row per broken rule with the number of rows that break it.

key: columns of the grain · checks: {name: SQL that no row may make false} · references: [{column, to, field}] ·
filled_from: a relation; when it has rows (that meet filled_where), so must the table.

In an increment it looks at the rows that were written, and whether their keys are anywhere else (rows_to_test).
-#}
{% test sound(model, key, checks={}, references=[], filled_from=none, filled_where=none) %}
    {%- set tested = rows_to_test(model) -%}
    {%- set written = what_was_written(model) -%}
    with checked as (
        select
            {%- for expression in checks.values() %}
            count(*) filter (where not ({{ expression }})) as check_{{ loop.index }},
            {%- endfor %}
            count(*) filter (where {% for column in key %}{{ column }} is null{{ " or " if not loop.last }}{% endfor %})
                as null_keys
        from {{ tested }} as tested
    ),

    repeated as (
        select count(*) as repeated_keys
        from (
            select 1 as found
            {%- if written and written.key.split(", ") | reject("in", key) | list %}
            {# The key doesn't say whose row it is. #}
            from {{ model }}
            where ({{ key | join(", ") }}) in (select {{ key | join(", ") }} from {{ tested }} as tested)
            {%- else %}
            from {{ tested }} as tested
            {%- endif %}
            group by {{ key | join(", ") }}
            having count(*) > 1
        ) as keys
    )

    select 'key {{ key | join(" + ") }} is NULL' as problem, null_keys as broken_rows from checked where null_keys > 0
    union all
    select 'key {{ key | join(" + ") }} is not unique', repeated_keys from repeated where repeated_keys > 0
    {%- for name in checks %}
    union all
    select '{{ name }}', check_{{ loop.index }} from checked where check_{{ loop.index }} > 0
    {%- endfor %}
    {%- for reference in references %}
    union all
    select '{{ reference.column }} is not in {{ reference.to.identifier or reference.to }}', count(*)
    from {{ tested }} as child
    where child.{{ reference.column }} is not null
        and not exists (
            select 1 from {{ reference.to }} as parent where parent.{{ reference.field }} = child.{{ reference.column }}
        )
    having count(*) > 0
    {%- endfor %}
    {%- if filled_from %}
    union all
    select 'is empty though its source has rows', 1
    where not exists (select 1 from {{ model }}) and exists (
        select 1 from {{ filled_from }} {%- if filled_where %} where {{ filled_where }}{% endif %}
    )
    {%- endif %}
{% endtest %}
