{% macro known_spans(staging, history, ref_column) -%}
    {#-
    CTEs ending in `known`: spans of validity of one ref, begin in `holds_from_at`, from the spans that the sources state
    and the versions of each (snapshots/). What a source says later of a span holds from when it says so; of a span that
    is over by then, for the whole of it: that is a correction. Where several sources state the same begin, the first by
    name counts. Rows that are gone from the source's table are gone from here, too.
    -#}
    ranked as (
        select
            *,
            row_number() over (partition by {{ ref_column }}, valid_from_at order by {{ bytewise("source") }})
                as source_rank
        from {{ staging }}
    ),

    stated as (
        select
            source,
            {{ ref_column }},
            valid_from_at,
            lead(valid_from_at) over (partition by {{ ref_column }} order by valid_from_at) as stated_to_at
        from ranked
        where source_rank = 1
    ),

    versions as (
        select
            history.*,
            row_number() over (
                partition by history.{{ ref_column }}, history.valid_from_at order by history.dbt_valid_from
            ) as version_number,
            coalesce(
                max(history.dbt_valid_from) over (partition by history.{{ ref_column }}, history.valid_from_at)
                >= stated.stated_to_at,
                false
            ) as is_corrected
        from {{ history }} as history
        inner join stated
            on history.source = stated.source
            and history.{{ ref_column }} = stated.{{ ref_column }}
            and history.valid_from_at = stated.valid_from_at
        -- Said and taken back at the same instant: never in force.
        where history.dbt_valid_to is null or history.dbt_valid_to > history.dbt_valid_from
    ),

    placed as (
        select
            *,
            case
                when version_number = 1 or is_corrected then valid_from_at
                else greatest(valid_from_at, dbt_valid_from)
            end as holds_from_at
        from versions
    ),

    known as (
        select *
        from (
            select
                *,
                row_number() over (partition by {{ ref_column }}, holds_from_at order by version_number desc)
                    as newest_first
            from placed
        ) as numbered
        where newest_first = 1
    )
{%- endmacro %}
