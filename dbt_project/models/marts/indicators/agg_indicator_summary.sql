-- Each indicator of each month and week against its target, the period before and a year ago (week: 52 weeks).
with daily as (
    select
        date_day,
        indicator_code,
        numerator,
        denominator
    from {{ ref("agg_indicator_daily") }}
    where dimension = 'all'
),

by_period as (
    {%- for period_kind in ["month", "week"] %}
    {{ "union all" if not loop.first }}
    select
        '{{ period_kind }}' as period_kind,
        cast(date_trunc('{{ period_kind }}', date_day) as date) as period_start_on,
        cast(date_trunc('{{ period_kind }}', date_day) + interval '1 {{ period_kind }}' as date) as period_end_on,
        indicator_code,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from daily
    group by 1, 2, 3, 4
    {%- endfor %}
),

definitions as (
    select
        *,
        lead(effective_from_on) over (
            partition by indicator_code order by coalesce(effective_from_on, date '1900-01-01')
        ) as effective_to_on
    from {{ ref("indicators") }}
),

actual as (
    select
        periods.period_kind,
        periods.period_start_on,
        periods.period_end_on,
        definitions.indicator_code,
        definitions.indicator_zh,
        definitions.unit,
        definitions.formula,
        definitions.data_source,
        definitions.target_value,
        definitions.direction as target_direction,
        -- A count adds up; everything else is a mean of its sums and counts.
        case
            when definitions.indicator_code = 'ticket_count' then periods.numerator * definitions.scale
            else periods.numerator / periods.denominator * definitions.scale
        end as actual_value,
        cast(
            case when definitions.indicator_code = 'ticket_count' then periods.numerator else periods.denominator end
            as bigint
        ) as observation_count
    from by_period as periods
    inner join definitions
        on periods.indicator_code = definitions.indicator_code
        and (definitions.effective_from_on is null or periods.period_start_on >= definitions.effective_from_on)
        and (definitions.effective_to_on is null or periods.period_start_on < definitions.effective_to_on)
),

compared as (
    select
        actual.*,
        previous.actual_value as previous_value,
        year_ago.actual_value as year_ago_value,
        case actual.target_direction
            when 'at_most' then actual.actual_value - actual.target_value
            when 'at_least' then actual.target_value - actual.actual_value
        end as beyond_target
    from actual
    left join actual as previous
        on actual.indicator_code = previous.indicator_code
        and actual.period_kind = previous.period_kind
        and actual.period_start_on = previous.period_end_on
    left join actual as year_ago
        on actual.indicator_code = year_ago.indicator_code
        and actual.period_kind = year_ago.period_kind
        and year_ago.period_start_on = case actual.period_kind
            when 'month' then cast(actual.period_start_on - interval '1 year' as date)
            else actual.period_start_on - 364
        end
),

judged as (
    select
        compared.*,
        beyond_target <= 0 as is_target_met,
        beyond_target / nullif(abs(target_value), 0) as deviation_ratio,
        abs(actual_value - previous_value) > {{ var("volatility_tolerance") }} * abs(previous_value) as is_volatile
    from compared
)

select
    judged.period_kind,
    judged.period_start_on,
    judged.indicator_code,
    judged.indicator_zh,
    judged.unit,
    judged.formula,
    judged.data_source,
    judged.target_value,
    judged.target_direction,
    judged.actual_value,
    judged.observation_count,
    judged.previous_value,
    judged.year_ago_value,
    judged.is_target_met,
    judged.deviation_ratio,
    judged.is_volatile,
    nullif(
        concat_ws(
            '；',
            case when judged.period_end_on - 1 > {{ local_date("as_of.as_of_at") }} then '本期未结束' end,
            case when judged.observation_count < {{ var("small_sample") }} then '样本不足，仅供参考' end,
            case when judged.is_volatile then '较上期波动超过 {{ (var("volatility_tolerance") * 100) | int }}%' end
        ),
        ''
    ) as note
from judged
cross join {{ ref("int_as_of") }} as as_of
