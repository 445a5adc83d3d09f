-- Errors of whole days, by week of the horizon, beside those of the seasonal naive forecast: the same weekday of the
-- last week that was known when the forecast was made. Forecasts have six decimals and are summed
-- as decimals: exactly, in whatever order threads add.
with actual as (
    select
        date_day,
        channel,
        cast(sum(arrival_count) as bigint) as arrival_count
    from {{ ref("fct_demand_hourly") }}
    group by 1, 2
),

first_days as (
    select min(date_day) as first_on from actual
),

days as (
    select
        forecast.made_on,
        forecast.date_day,
        forecast.channel,
        cast(floor((forecast.horizon_days - 1) / 7.0) as integer) + 1 as horizon_week,
        forecast.is_backtest,
        sum(cast(forecast.expected_count as decimal(18, 6))) as expected_count,
        cast(sum(forecast.actual_count) as bigint) as actual_count,
        count(*) as hour_count,
        count(*) filter (where forecast.is_within_interval) as within_count
    from {{ ref("fct_demand_forecast") }} as forecast
    where forecast.actual_count is not null
    group by 1, 2, 3, 4, 5
),

with_naive as (
    select
        days.*,
        case
            when days.date_day - 7 * days.horizon_week >= first_days.first_on then coalesce(actual.arrival_count, 0)
        end as naive_count
    from days
    cross join first_days
    left join actual
        on days.channel = actual.channel and days.date_day - 7 * days.horizon_week = actual.date_day
),

all_channels as (
    select
        made_on,
        date_day,
        'all' as channel,
        horizon_week,
        is_backtest,
        sum(expected_count) as expected_count,
        sum(actual_count) as actual_count,
        sum(hour_count) as hour_count,
        sum(within_count) as within_count,
        sum(naive_count) as naive_count
    from with_naive
    group by made_on, date_day, horizon_week, is_backtest
    union all
    select
        made_on,
        date_day,
        channel,
        horizon_week,
        is_backtest,
        expected_count,
        actual_count,
        hour_count,
        within_count,
        naive_count
    from with_naive
)

select
    made_on,
    horizon_week,
    channel,
    bool_or(is_backtest) as is_backtest,
    count(*) as day_count,
    cast(sum(actual_count) as bigint) as actual_count,
    cast(sum(expected_count) as double precision) as expected_count,
    cast(sum(expected_count) as double precision) / nullif(sum(actual_count), 0) - 1 as bias_ratio,
    cast(sum(abs(expected_count - actual_count)) as double precision) / nullif(sum(actual_count), 0) as wape,
    cast(sum(abs(naive_count - actual_count)) as double precision) / nullif(sum(actual_count), 0) as naive_wape,
    cast(
        avg(
            cast(
                cast(abs(expected_count - actual_count) as double precision) / nullif(actual_count, 0) as decimal(18, 9)
            )
        ) as double precision
    ) as mape,
    cast(
        avg(
            cast(
                cast(abs(naive_count - actual_count) as double precision) / nullif(actual_count, 0) as decimal(18, 9)
            )
        ) as double precision
    ) as naive_mape,
    cast(sum(within_count) as double precision) / sum(hour_count) as within_interval_share
from all_channels
group by made_on, horizon_week, channel
