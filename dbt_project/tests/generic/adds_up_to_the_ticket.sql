{#-
Rows of a ticket add up to what the ticket itself says. `sums`: {SQL of a sum over the rows: column of fct_tickets}. By
default the equality of the stages: their calendar and business time is the time to the solution, to the second.
Returns one row per equality with the number of solved tickets (or all, for other sums) that break it.
-#}
{% test adds_up_to_the_ticket(model, sums=none) %}
    {%- set equalities = sums or {
        "sum(seconds)": "resolution_seconds", "sum(business_seconds)": "resolution_business_seconds"
    } -%}
    with summed as (
        select
            ticket_key,
            {%- for sum in equalities %}
            {{ sum }} as sum_{{ loop.index }} {{- "," if not loop.last }}
            {%- endfor %}
        from {{ rows_to_test(model) }} as tested
        group by ticket_key
    ),

    compared as (
        select
            tickets.*,
            {%- for sum in equalities %}
            coalesce(summed.sum_{{ loop.index }}, 0) as sum_{{ loop.index }} {{- "," if not loop.last }}
            {%- endfor %}
        from {{ rows_to_test(ref("fct_tickets")) }} as tickets
        left join summed on tickets.ticket_key = summed.ticket_key
    )
    {%- for sum, column in equalities.items() %}
    {{ "union all" if not loop.first }}
    select '{{ sum }} is not {{ column }}' as problem, count(*) as broken_rows
    from compared
    where sum_{{ loop.index }} <> {{ column }}
    having count(*) > 0
    {%- endfor %}
{% endtest %}
