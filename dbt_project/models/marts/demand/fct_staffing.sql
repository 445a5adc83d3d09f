-- Several groups of channels may be served by one team: what they require adds up. A roster that isn't made yet is no
-- shortage: the gap is known on days for which the team has any shift.
with required as (
    select
        date_day,
        hour_of_day,
        team,
        max(made_on) as made_on,
        sum(expected_count) as expected_count,
        sum(load_erlangs) as load_erlangs,
        -- Half a person can't be rostered; the tolerance keeps 3.0000001 from becoming 4.
        cast(ceil(sum(required_agents) - 0.000001) as integer) as required_agents
    from {{ ref("fct_staffing_groups") }}
    group by 1, 2, 3
),

rostered_days as (
    select distinct
        team,
        date_day
    from {{ ref("int_roster_hours") }}
),

rostered as (
    select
        required.team,
        required.date_day,
        required.hour_of_day,
        coalesce(hours.rostered_seconds, 0) / cast(3600 as double precision) as agents
    from required
    inner join rostered_days on required.team = rostered_days.team and required.date_day = rostered_days.date_day
    left join {{ ref("int_roster_hours") }} as hours
        on required.team = hours.team
        and required.date_day = hours.date_day
        and required.hour_of_day = hours.hour_of_day
)

select
    required.date_day,
    required.hour_of_day,
    {{ to_utc("(required.date_day + required.hour_of_day * interval '1 hour')", "'" ~ var("timezone") ~ "'") }}
        as hour_start_at,
    required.team,
    required.made_on,
    required.expected_count,
    required.load_erlangs,
    required.required_agents,
    rostered.agents as rostered_agents,
    rostered.agents - required.required_agents as gap_agents
from required
left join rostered
    on required.team = rostered.team
    and required.date_day = rostered.date_day
    and required.hour_of_day = rostered.hour_of_day
