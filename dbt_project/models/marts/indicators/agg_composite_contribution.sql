-- What each indicator adds to the composite index. Points are 0 at the weight's floor, 100 at the indicator's target,
-- straight between and beyond, from 0 to the cap. Indicators without a value leave their weight to the others.
with weights as (
    select
        *,
        coalesce(effective_from_on, date '1900-01-01') as set_from_on
    from {{ ref("composite_weights") }}
    where weight > 0
),

weight_sets as (
    select
        set_from_on,
        coalesce(lead(set_from_on) over (order by set_from_on), date '9999-12-31') as set_to_on
    from (select distinct set_from_on from weights) as sets
),

periods as (
    select *
    from {{ ref("agg_indicator_period") }}
    where dimension in ('all', 'team')
),

names as (
    select
        indicator_code,
        max(indicator_zh) as indicator_zh
    from {{ ref("indicators") }}
    group by indicator_code
),

groups as (
    select distinct
        periods.period_kind,
        periods.period_start_on,
        periods.dimension,
        periods.dimension_value,
        weight_sets.set_from_on
    from periods
    inner join weight_sets
        on periods.period_start_on >= weight_sets.set_from_on and periods.period_start_on < weight_sets.set_to_on
    inner join weights
        on weight_sets.set_from_on = weights.set_from_on and periods.indicator_code = weights.indicator_code
),

scored as (
    select
        groups.period_kind,
        groups.period_start_on,
        groups.dimension,
        groups.dimension_value,
        weights.indicator_code,
        names.indicator_zh,
        weights.indicator_group,
        weights.weight,
        periods.actual_value,
        periods.target_value,
        periods.observation_count,
        least(
            weights.cap_points,
            greatest(
                0,
                (periods.actual_value - weights.floor_value)
                / nullif(periods.target_value - weights.floor_value, 0) * 100
            )
        ) as raw_points,
        periods.actual_value is not null
        and periods.target_value is not null
        and periods.target_value <> weights.floor_value as is_measured
    from groups
    inner join weights on groups.set_from_on = weights.set_from_on
    inner join names on weights.indicator_code = names.indicator_code
    left join periods
        on groups.period_kind = periods.period_kind
        and groups.period_start_on = periods.period_start_on
        and groups.dimension = periods.dimension
        and groups.dimension_value = periods.dimension_value
        and weights.indicator_code = periods.indicator_code
),

weighted as (
    select
        *,
        -- The engines differ on what least and greatest make of NULL.
        case when is_measured then raw_points end as points,
        case
            when is_measured
                then weight / sum(weight) filter (where is_measured) over (
                    partition by period_kind, period_start_on, dimension, dimension_value
                )
        end as effective_weight
    from scored
)

select
    period_kind,
    period_start_on,
    dimension,
    dimension_value,
    indicator_code,
    indicator_zh,
    indicator_group,
    weight,
    effective_weight,
    actual_value,
    target_value,
    observation_count,
    points,
    effective_weight * points as contribution
from weighted
