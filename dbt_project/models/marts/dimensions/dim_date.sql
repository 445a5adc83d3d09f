with campaigns as (
    select
        days.date_day,
        (array_agg(campaigns.name order by campaigns.starts_on desc, {{ bytewise("campaigns.name") }}))[1] as campaign
    from {{ ref("int_days") }} as days
    inner join {{ ref("campaigns") }} as campaigns
        on days.date_day >= campaigns.starts_on and days.date_day <= campaigns.ends_on
    group by days.date_day
)

select
    days.date_day,
    cast(extract(year from days.date_day) as integer) as year,
    cast(extract(quarter from days.date_day) as integer) as quarter,
    cast(extract(month from days.date_day) as integer) as month,
    cast(date_trunc('month', days.date_day) as date) as month_start_on,
    cast(date_trunc('week', days.date_day) as date) as week_start_on,
    cast(extract(week from days.date_day) as integer) as iso_week,
    days.iso_weekday,
    days.is_workday,
    days.day_kind,
    days.holiday_name,
    campaigns.campaign
from {{ ref("int_days") }} as days
left join campaigns on days.date_day = campaigns.date_day
