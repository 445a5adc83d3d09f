with listed as (
    {{ mart_columns() }}
),

-- A caption that names the table goes before the one of all columns of that name; without either the name itself.
captioned as (
    select
        listed.table_name,
        listed.column_name,
        listed.column_position,
        coalesce(own.caption_zh, common.caption_zh) as caption_zh,
        replace(case when listed.column_name = '' then listed.table_name else listed.column_name end, '_', ' ')
            as words,
        listed.description,
        coalesce(own.unit, common.unit, listed.unit) as unit,
        listed.kind
    from listed
    left join {{ ref("captions") }} as own
        on listed.table_name = own.table_name and listed.column_name = coalesce(own.column_name, '')
    left join {{ ref("captions") }} as common
        on common.table_name is null and listed.column_name = common.column_name
)

select
    table_name,
    column_name,
    column_position,
    coalesce(caption_zh, words) as caption_zh,
    upper(substr(words, 1, 1)) || substr(words, 2) as caption_en,
    description,
    unit,
    case when kind <> 'number' then kind when unit is null then 'dimension' else 'measure' end as kind
from captioned
