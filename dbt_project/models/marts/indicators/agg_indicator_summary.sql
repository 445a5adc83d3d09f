-- Each indicator of each day, week, month and quarter with its definition, for people.
with definitions as (
    select
        *,
        lead(effective_from_on) over (
            partition by indicator_code order by coalesce(effective_from_on, date '1900-01-01')
        ) as effective_to_on
    from {{ ref("indicators") }}
)

select
    periods.period_kind,
    periods.period_start_on,
    periods.indicator_code,
    definitions.indicator_zh,
    definitions.unit,
    definitions.formula,
    definitions.data_source,
    periods.target_value,
    definitions.direction as target_direction,
    periods.actual_value,
    periods.observation_count,
    periods.previous_value,
    periods.year_ago_value,
    periods.is_target_met,
    periods.deviation_ratio,
    periods.is_volatile,
    nullif(
        concat_ws(
            '；',
            case
                when {{ next_period("periods.period_kind", "periods.period_start_on") }} - 1
                    > {{ local_date("as_of.as_of_at") }}
                    then '本期未结束'
            end,
            case when periods.observation_count < {{ var("small_sample") }} then '样本不足，仅供参考' end,
            case when periods.is_volatile then '较上期波动超过 {{ (var("volatility_tolerance") * 100) | int }}%' end
        ),
        ''
    ) as note
from {{ ref("agg_indicator_period") }} as periods
inner join definitions
    on periods.indicator_code = definitions.indicator_code
    and (definitions.effective_from_on is null or periods.period_start_on >= definitions.effective_from_on)
    and (definitions.effective_to_on is null or periods.period_start_on < definitions.effective_to_on)
cross join {{ ref("int_as_of") }} as as_of
where periods.dimension = 'all'
