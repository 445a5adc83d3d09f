{{ rewritten_by("int_compared_periods", "period_kind, period_start_on", "period_kind, period_start_on") }}
-- Each indicator of each period and value of a dimension, against its target, the period before, a year ago, the whole.
with needed as (
    select
        period_kind,
        period_start_on
    from {{ ref("int_compared_periods") }}
    union
    select
        period_kind,
        {{ previous_period("period_kind", "period_start_on") }}
    from {{ ref("int_compared_periods") }}
    union
    select
        period_kind,
        {{ year_before("period_kind", "period_start_on") }}
    from {{ ref("int_compared_periods") }}
),

by_period as (
    {%- for kind in ["day", "week", "month", "quarter"] %}
    {{ "union all" if not loop.first }}
    select
        '{{ kind }}' as period_kind,
        {{ period_start(kind, "date_day") }} as period_start_on,
        dimension,
        dimension_value,
        indicator_code,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from {{ ref("agg_indicator_daily") }}
    where {{ period_start(kind, "date_day") }} in (
        select needed.period_start_on
        from needed
        where needed.period_kind = '{{ kind }}'
    )
    group by 1, 2, 3, 4, 5
    {%- endfor %}
),

definitions as (
    select
        indicator_code,
        direction,
        target_value,
        scale,
        coalesce(effective_from_on, date '1900-01-01') as effective_from_on,
        coalesce(
            lead(effective_from_on) over (
                partition by indicator_code order by coalesce(effective_from_on, date '1900-01-01')
            ),
            date '9999-12-31'
        ) as effective_to_on
    from {{ ref("indicators") }}
),

actual as (
    select
        periods.period_kind,
        periods.period_start_on,
        periods.dimension,
        periods.dimension_value,
        periods.indicator_code,
        periods.numerator,
        periods.denominator,
        -- A count adds up; everything else is a mean of its sums and counts.
        case
            when periods.indicator_code = 'ticket_count' then periods.numerator * definitions.scale
            else periods.numerator / periods.denominator * definitions.scale
        end as actual_value,
        cast(
            case when periods.indicator_code = 'ticket_count' then periods.numerator else periods.denominator end
            as bigint
        ) as observation_count,
        definitions.direction,
        definitions.target_value
    from by_period as periods
    inner join definitions
        on periods.indicator_code = definitions.indicator_code
        and periods.period_start_on >= definitions.effective_from_on
        and periods.period_start_on < definitions.effective_to_on
),

compared as (
    select
        now.*,
        previous.actual_value as previous_value,
        year_ago.actual_value as year_ago_value,
        whole.actual_value as all_value,
        case now.direction
            when 'at_most' then now.actual_value - now.target_value
            when 'at_least' then now.target_value - now.actual_value
        end as beyond_target
    from actual as now
    inner join {{ ref("int_compared_periods") }} as written
        on now.period_kind = written.period_kind and now.period_start_on = written.period_start_on
    inner join actual as whole
        on now.period_kind = whole.period_kind
        and now.period_start_on = whole.period_start_on
        and now.indicator_code = whole.indicator_code
        and whole.dimension = 'all'
    left join actual as previous
        on now.period_kind = previous.period_kind
        and {{ previous_period("now.period_kind", "now.period_start_on") }} = previous.period_start_on
        and now.dimension = previous.dimension
        and now.dimension_value = previous.dimension_value
        and now.indicator_code = previous.indicator_code
    left join actual as year_ago
        on now.period_kind = year_ago.period_kind
        and {{ year_before("now.period_kind", "now.period_start_on") }} = year_ago.period_start_on
        and now.dimension = year_ago.dimension
        and now.dimension_value = year_ago.dimension_value
        and now.indicator_code = year_ago.indicator_code
)

select
    period_kind,
    period_start_on,
    dimension,
    dimension_value,
    indicator_code,
    numerator,
    denominator,
    actual_value,
    observation_count,
    target_value,
    beyond_target <= 0 as is_target_met,
    beyond_target / nullif(abs(target_value), 0) as deviation_ratio,
    previous_value,
    (actual_value - previous_value) / nullif(abs(previous_value), 0) as previous_change_ratio,
    year_ago_value,
    (actual_value - year_ago_value) / nullif(abs(year_ago_value), 0) as year_ago_change_ratio,
    all_value,
    actual_value - all_value as difference_to_all,
    {{ is_volatile("actual_value", "previous_value") }} as is_volatile
from compared
