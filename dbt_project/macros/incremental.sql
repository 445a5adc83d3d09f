{#-
How a build does only the day's work. The unit is the ticket: int_touched_tickets, built first, names those that this
build must write anew (loaded, corrected or deleted since the last one, still open, of a person or agent that changed,
neighbours of such ones); likewise int_touched_feedback, int_touched_voices, and int_touched_days for sums by day.

A model of one row or more per ticket begins with `per_ticket()` and restricts what it reads:

    {{ per_ticket() }}
    select … from {{ ref("int_ticket_events") }} as events where {{ only_touched("events.ticket_key") }}

In a full refresh the restriction is `true`; in an increment the rows of touched tickets are deleted, in the same
transaction, and the query's rows appended (materializations/replaced.sql). So a query must give, for touched tickets, exactly their rows: put the
restriction on the table that decides which tickets come out, and on big ones joined to it. What it reads of other
tickets (the same person's, say) needs a rule in int_touched_tickets that touches one when the other changes. A solved
ticket's rows must not depend on 'now' (int_as_of): only open ones are touched each day.

`key`: columns of the model that name the ticket, as int_touched_tickets calls them: "ticket_key", or
"source, ticket_id". per_feedback: "feedback_key"; per_voice: "voice_id"; per_person: the column of the person, all of
whose rows are written anew when something of it changed; per_day: a date column, with `period`
(week, month, quarter) where a row sums up the period that begins there; such models restrict by only_touched_days.
A model that sums over two of these kinds takes per_day. Small ones stay plain tables.

A change of SQL, seeds, variables, time zone or calendar makes the next build a full refresh: warehouse/dbt.py.
-#}

{% macro per_ticket(key="ticket_key") -%} {{ rewritten_by("int_touched_tickets", key, key) }} {%- endmacro %}

{% macro per_feedback(key="feedback_key") -%} {{ rewritten_by("int_touched_feedback", key, key) }} {%- endmacro %}

{% macro per_voice(key="voice_id") -%} {{ rewritten_by("int_touched_voices", key, key) }} {%- endmacro %}

{% macro per_person(key="customer_ref") -%} {{ rewritten_by("int_touched_persons", key, "person_ref") }} {%- endmacro %}

{% macro per_day(column="date_day", period=none) -%}
    {{ rewritten_by("int_touched_days", column, touched_period(period)) }}
{%- endmacro %}

{% macro only_touched(column="ticket_key") -%}
    {{ only_keys_of("int_touched_tickets", column, "ticket_key") }}
{%- endmacro %}

{% macro only_touched_feedback(column="feedback_key") -%}
    {{ only_keys_of("int_touched_feedback", column, "feedback_key") }}
{%- endmacro %}

{% macro only_touched_voices(column="voice_id") -%}
    {{ only_keys_of("int_touched_voices", column, "voice_id") }}
{%- endmacro %}

{% macro only_touched_persons(column="customer_ref") -%}
    {{ only_keys_of("int_touched_persons", column, "person_ref") }}
{%- endmacro %}

{% macro only_touched_days(column="date_day", period=none) -%}
    {#- `column` a local date; with `period`, the beginning of its period. -#}
    {{ only_keys_of("int_touched_days", column, touched_period(period)) }}
{%- endmacro %}

{% macro touched_period(period) -%}
    {%- if period -%} cast(date_trunc('{{ period }}', date_day) as date) {%- else -%} date_day {%- endif -%}
{%- endmacro %}

{% macro rewritten_by(touched, key, touched_key) -%}
    {%- if not execute -%} {%- set needed = ref(touched) -%} {%- endif -%}
    {{ config(
        materialized="incremental",
        on_schema_change="fail",
        meta={"written": {"touched": touched, "key": key, "touched_key": touched_key}},
        indexes=[{"columns": key.split(", ")}] if target.type == "postgres" and touched != "int_touched_days" else [],
    ) }}
{%- endmacro %}

{% macro is_increment() -%}
    {#- A dbt unit test has no table of its own: it tests the whole. -#}
    {{ return(this is not none and is_incremental()) }}
{%- endmacro %}

{% macro only_keys_of(touched, column, touched_key) -%}
    {#- While dbt parses, the references are read; int_touched_days always comes first: it must see what was built. -#}
    {%- if not execute or is_increment() -%}
        {%- set days = ref("int_touched_days") -%}
        {{ column }} in (select {{ touched_key }} from {{ ref(touched) }})
    {%- else -%} true {%- endif -%}
{%- endmacro %}

{% macro rows_to_test(relation) -%}
    {#-
    What a data test looks at. In an increment those rows of a table that it wrote: the others were tested by the build
    that wrote them, and one that fails isn't finished, so the next carries its rows over. Otherwise all rows.
    -#}
    {%- set written = what_was_written(relation) -%}
    {%- if not written -%} {{ return(relation) }} {%- endif -%}
    {{ return(
        "(select * from " ~ relation ~ " where (" ~ written.key ~ ") in (select " ~ written.touched_key ~ " from "
        ~ built(written.touched) ~ "))"
    ) }}
{%- endmacro %}

{% macro what_was_written(relation) -%}
    {#- Of a table that this build wrote in part what `rewritten_by` says of it, else none. -#}
    {%- if execute and flags.WHICH == "build" and not flags.FULL_REFRESH -%}
        {%- for node in graph.nodes.values() if node.resource_type == "model" and node.name == relation.identifier -%}
            {{ return(node.config.meta.get("written")) }}
        {%- endfor -%}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{% macro built(name) -%}
    {#- A table as the last build left it, which nothing depends on; none where there is none. -#}
    {%- if execute -%}
        {{ return(adapter.get_relation(target.database, generate_schema_name("intermediate", none), name)) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{% macro carry_over() -%}
    {#- Runs before each build. What an unfinished build touched is touched again: who knows how far it came. -#}
    update {{ source("build", "state") }} set carries_over = not is_finished
{%- endmacro %}

{% macro begin_increment() -%} update {{ source("build", "state") }} set is_finished = false {%- endmacro %}

{% macro carried_over(columns) -%}
    {#- Rows of this table that an unfinished build left; a killed one has written some models and others not. -#}
    {%- if execute and not flags.FULL_REFRESH and load_relation(this) %}
    union
    select {{ columns }} from {{ this }} where coalesce((select carries_over from {{ source("build", "state") }}), true)
    {%- else -%}
    {%- set state = source("build", "state") -%}
    {%- endif -%}
{%- endmacro %}

{% macro is_first_build() -%}
    {#- Whether there is nothing yet that an increment could begin from. -#}
    {%- if not execute or flags.FULL_REFRESH -%} {{ return(true) }} {%- endif -%}
    {%- set begun = [
        "int_tickets", "int_ticket_events", "int_messages", "int_feedback", "int_voices", "int_voice_copies",
        "int_identity",
    ] -%}
    {%- for name in begun -%}
        {%- if not built(name) -%} {{ return(true) }} {%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}

{% macro load_columns(entity) -%}
    {#- What tells the loads of a table apart: source, batch, instant. -#}
    {{ return({
        "sentiment": ["''", "''", "loaded.scored_at"],
        "topic_assignment": ["''", "''", "loaded.assigned_at"],
        "copies": ["''", "''", "loaded.found_at"],
    }.get(entity, ["loaded._source", "coalesce(loaded._batch_id, '')", "loaded._loaded_at"])) }}
{%- endmacro %}

{% macro loads_of(schema, entities) -%}
    {%- set known = source("build", "loads") -%}
    {%- for entity in entities %}
    {%- set source_name, batch_id, loaded_at = load_columns(entity) %}
    {{ "union all" if not loop.first }}
    select
        '{{ entity }}' as entity,
        found.source,
        found.batch_id,
        found.loaded_at,
        found.row_count,
        found.row_count > coalesce(known.row_count, 0) as is_news
    from (
        select
            cast({{ source_name }} as text) as source,
            cast({{ batch_id }} as text) as batch_id,
            {{ loaded_at }} as loaded_at,
            count(*) as row_count
        from {{ source(schema, entity) }} as loaded
        left join (
            select source, max(loaded_at) - interval '{{ var("look_back_hours") }} hours' as from_at
            from {{ known }}
            where entity = '{{ entity }}'
            group by source
        ) as reached on reached.source = {{ source_name }}
        where reached.from_at is null or {{ loaded_at }} >= reached.from_at
        group by 1, 2, 3
    ) as found
    left join {{ known }} as known
        on known.entity = '{{ entity }}'
        and found.source = known.source
        and found.batch_id = known.batch_id
        and found.loaded_at = known.loaded_at
    {%- endfor %}
{%- endmacro %}

{% macro loaded_since(entity, schema="raw") -%}
    {#- Rows of the loads that the mart doesn't hold yet. -#}
    {%- set source_name, batch_id, loaded_at = load_columns(entity) -%}
    select loaded.*
    from {{ source(schema, entity) }} as loaded
    inner join {{ ref("int_loads" if schema == "raw" else "int_meaning_loads") }} as loads
        on loads.is_news
        and loads.entity = '{{ entity }}'
        and loads.source = {{ source_name }}
        and loads.batch_id = {{ batch_id }}
        and loads.loaded_at = {{ loaded_at }}
{%- endmacro %}
