with newest as (
    select max(made_on) as made_on from {{ ref("fct_demand_forecast") }}
)

select
    forecast.made_on,
    forecast.date_day,
    forecast.hour_of_day,
    forecast.channel,
    shares.problem_type,
    forecast.expected_count * shares.share as expected_count
from {{ ref("fct_demand_forecast") }} as forecast
inner join newest on forecast.made_on = newest.made_on
inner join {{ ref("stg_demand_forecast_shares") }} as shares
    on forecast.made_on = shares.made_on and forecast.channel = shares.channel
