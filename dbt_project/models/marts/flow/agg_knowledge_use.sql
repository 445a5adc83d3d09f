{{ per_day("period_start_on", "month") }}
-- Tickets to which an agent linked a knowledge article, beside those without one.
with tickets as (
    select
        cast(date_trunc('month', tickets.created_on) as date) as period_start_on,
        {{ dimensions_of("tickets") }},
        coalesce(handling.article_count, 0) as article_count,
        tickets.resolution_business_seconds,
        tickets.is_first_contact_resolved
    from {{ ref("fct_tickets") }} as tickets
    left join {{ ref("int_ticket_handling") }} as handling on tickets.ticket_key = handling.ticket_key
    where {{ in_touched_month("tickets.created_on") }}
),

sides as (
    select
        *,
        case when article_count > 0 then resolution_business_seconds end as with_seconds,
        case when article_count = 0 then resolution_business_seconds end as without_seconds
    from tickets
),

grouped as (
    select
        period_start_on,
        {{ dimension_columns() }},
        count(*) as ticket_count,
        count(*) filter (where article_count > 0) as with_article_count,
        cast(sum(article_count) as bigint) as link_count,
        {%- for side, condition in [("with", "article_count > 0"), ("without", "article_count = 0")] %}
        count(is_first_contact_resolved) filter (where {{ condition }}) as solved_{{ side }}_article_count,
        cast(count(*) filter (where {{ condition }} and is_first_contact_resolved) as double precision)
        / nullif(count(is_first_contact_resolved) filter (where {{ condition }}), 0)
            as first_contact_resolution_share_{{ side }}_article,
        cast(sum({{ side }}_seconds) as double precision) / nullif(count({{ side }}_seconds), 0) / 3600
            as mean_resolution_hours_{{ side }}_article,
        cast(percentile_cont(0.5) within group (order by {{ side }}_seconds) as double precision) / 3600
            as p50_resolution_hours_{{ side }}_article,
        cast(percentile_cont(0.9) within group (order by {{ side }}_seconds) as double precision) / 3600
            as p90_resolution_hours_{{ side }}_article {{- "," if not loop.last }}
        {%- endfor %}
    from sides
    {{ grouped_by_month() }}
)

select
    period_start_on,
    dimension,
    dimension_value,
    ticket_count,
    with_article_count,
    cast(with_article_count as double precision) / ticket_count as with_article_share,
    link_count,
    {%- for figure in [
        "first_contact_resolution_share", "mean_resolution_hours", "p50_resolution_hours", "p90_resolution_hours",
    ] %}
    {{ figure }}_with_article,
    {{ figure }}_without_article,
    {%- endfor %}
    solved_with_article_count,
    solved_without_article_count
from grouped
