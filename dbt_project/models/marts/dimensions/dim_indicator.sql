-- How to come from a figure to its records, and what the indicator means today.
with drill_down as (
    {{ indicator_drill_down() }}
),

definitions as (
    select
        indicators.*,
        row_number() over (
            partition by indicators.indicator_code order by indicators.effective_from_on desc nulls last
        ) as newest_first
    from {{ ref("indicators") }} as indicators
    cross join {{ ref("int_as_of") }} as as_of
    where indicators.effective_from_on is null or indicators.effective_from_on <= {{ local_date("as_of.as_of_at") }}
)

select
    definitions.indicator_code,
    definitions.indicator_zh,
    definitions.indicator_en,
    definitions.unit,
    definitions.formula,
    definitions.data_source,
    definitions.direction as target_direction,
    definitions.target_value,
    definitions.scale,
    drill_down.fact_table,
    drill_down.day_column,
    drill_down.rows_where,
    drill_down.value_sql,
    cast(drill_down.divisor as integer) as divisor
from definitions
inner join drill_down on definitions.indicator_code = drill_down.indicator_code
where definitions.newest_first = 1
