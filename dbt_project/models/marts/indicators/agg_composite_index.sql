-- One figure for service quality, never of one group of indicators alone: of speed, quality and satisfaction two at
-- least must have a value.
-- Sums are rounded: in which order threads add must not show.
with summed as (
    select
        period_kind,
        period_start_on,
        dimension,
        dimension_value,
        round(sum(contribution) * 1e9) / 1e9 as index_points,
        {%- for group in ["speed", "quality", "satisfaction"] %}
        round(
            sum(effective_weight * points) filter (where indicator_group = '{{ group }}')
            / nullif(sum(effective_weight) filter (where indicator_group = '{{ group }}'), 0) * 1e9
        ) / 1e9 as {{ group }}_points,
        {%- endfor %}
        count(distinct indicator_group) filter (where points is not null) as group_count,
        max(indicator_group) filter (where points is not null) as a_group,
        round(sum(weight) filter (where points is not null) / sum(weight) * 1e9) / 1e9 as measured_weight_share,
        min(observation_count) filter (where points is not null) as observation_count,
        string_agg(indicator_zh, '、' order by weight desc, {{ bytewise("indicator_code") }})
        filter (where points is null) as missing_indicators
    from {{ ref("agg_composite_contribution") }}
    group by period_kind, period_start_on, dimension, dimension_value
),

indexed as (
    select
        *,
        case when group_count > 1 then index_points end as composite_index
    from summed
),

neighbours as (
    select
        *,
        lag(period_start_on) over same_thing as last_start_on,
        lag(composite_index) over same_thing as last_index
    from indexed
    window same_thing as (partition by period_kind, dimension, dimension_value order by period_start_on)
),

compared as (
    select
        now.*,
        case
            when {{ next_period("now.period_kind", "now.last_start_on") }} = now.period_start_on then now.last_index
        end as previous_index,
        year_ago.composite_index as year_ago_index
    from neighbours as now
    left join indexed as year_ago
        on now.period_kind = year_ago.period_kind
        and {{ year_before("now.period_kind", "now.period_start_on") }} = year_ago.period_start_on
        and now.dimension = year_ago.dimension
        and now.dimension_value = year_ago.dimension_value
)

select
    compared.period_kind,
    compared.period_start_on,
    compared.dimension,
    compared.dimension_value,
    compared.composite_index,
    compared.speed_points,
    compared.quality_points,
    compared.satisfaction_points,
    compared.previous_index,
    compared.year_ago_index,
    {{ is_volatile("compared.composite_index", "compared.previous_index") }} as is_volatile,
    compared.measured_weight_share,
    compared.observation_count,
    nullif(
        concat_ws(
            '；',
            case
                when compared.group_count = 1
                    then '仅有' || case compared.a_group
                        when 'speed' then '速度'
                        when 'quality' then '质量'
                        else '满意'
                    end || '类指标，不计综合指数'
            end,
            '缺少' || compared.missing_indicators || '，其权重由其余指标按比例分担',
            case
                when {{ next_period("compared.period_kind", "compared.period_start_on") }} - 1
                    > {{ local_date("as_of.as_of_at") }}
                    then '本期未结束'
            end,
            case when compared.observation_count < {{ var("small_sample") }} then '样本不足，仅供参考' end
        ),
        ''
    ) as note
from compared
cross join {{ ref("int_as_of") }} as as_of
