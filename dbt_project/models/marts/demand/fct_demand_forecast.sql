-- What came is known of whole days only: of the day of 'now' a part is missing.
with actual as (
    select
        date_day,
        hour_of_day,
        channel,
        sum(arrival_count) as arrival_count
    from {{ ref("fct_demand_hourly") }}
    group by 1, 2, 3
),

known as (
    select
        {{ local_date("as_of_at") }} as today_on,
        (select min(date_day) from actual) as first_on
    from {{ ref("int_as_of") }}
),

compared as (
    select
        forecast.*,
        case
            when forecast.date_day < known.today_on and forecast.date_day >= known.first_on
                then cast(coalesce(actual.arrival_count, 0) as bigint)
        end as actual_count,
        max(forecast.made_on) over (
            partition by forecast.date_day, forecast.hour_of_day, forecast.channel
        ) as newest_made_on
    from {{ ref("stg_demand_forecast") }} as forecast
    cross join known
    left join actual
        on forecast.date_day = actual.date_day
        and forecast.hour_of_day = actual.hour_of_day
        and forecast.channel = actual.channel
)

select
    made_on,
    date_day,
    hour_of_day,
    channel,
    cast(date_day - made_on + 1 as integer) as horizon_days,
    expected_count,
    low_count,
    high_count,
    actual_count,
    expected_count - actual_count as error_count,
    actual_count between low_count and high_count as is_within_interval,
    method,
    is_backtest,
    made_on = newest_made_on as is_newest
from compared
