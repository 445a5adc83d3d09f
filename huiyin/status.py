"""The operator's view: what needs a hand, how the sources do, what the gate said, what is published and was found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape
from rich.table import Table

from huiyin.config import Settings
from warehouse import Warehouse, WarehouseError, open_published, open_warehouse

_ALERTS = """
select severity, alert_key as alert, opened_at as since, occurrences as seen, message, remedy
from raw.operator_alerts where closed_at is null
order by case severity when 'critical' then 0 else 1 end, opened_at
"""
_HEALTH = """
with loaded as (
    select source, entity, max(finished_at) as last_load_at, sum(loaded) as loaded, sum(merged) as merged,
           sum(quarantined) as quarantined
    from raw.load_audit group by source, entity
)
select coalesce(h.source, l.source) as source, coalesce(h.entity, l.entity) as entity,
       coalesce(h.state, 'not judged yet') as state,
       case when h.state <> 'ok' then h.since_at end as since, h.last_success_at as last_success,
       h.newest_row_at as newest_row, h.hours_since_new as hours_old, h.expected_every_hours as expected_hours,
       h.rows_last_day as last_day, h.rows_expected as expected_rows,
       l.loaded, l.merged, l.quarantined, h.last_error
from raw.source_health h full outer join loaded l on l.source = h.source and l.entity = h.entity
order by 1, 2
"""
_DRIFT = """
select source, entity, kind, detail, row_count, first_seen_at as since, action, remedy
from raw.drift where ended_at is null order by first_seen_at desc, source, entity, detail limit 20
"""
_PUBLISHED = """
select (select count(*) from mart.fct_tickets) as tickets,
       (select max(created_on) from mart.fct_tickets) as tickets_until,
       (select count(*) from mart.fct_feedback) as feedback,
       (select count(*) from mart.fct_sentiment where topic_id >= 0) as voices_with_topic,
       (select count(*) from mart.fct_sentiment) as voices,
       (select count(*) from mart.fct_alerts where state in ('firing', 'acknowledged')) as alerts_firing,
       (select count(*) from mart.fct_cards where closed_on is null) as cards_open
"""
_GATE = """
select stage, table_name, expectation, unexpected_count, severity from raw.gate_results
where not success and run_at = (select max(run_at) from raw.gate_results g where g.stage = gate_results.stage)
order by severity, stage, table_name
"""


def tables(settings: Settings) -> Iterator[Table]:
    """One rich table after the other. Raises :class:`WarehouseError` where nothing was run yet."""
    with open_warehouse(settings, read_only=True, lock_wait_seconds=5) as warehouse:
        local = ZoneInfo(settings.timezone)
        if warehouse.has_table("raw", "source_health"):
            for alert in (alerts := warehouse.rows(_ALERTS)):
                alert["since"] = _at(alert["since"], local)
            yield _table("Open alerts", alerts)
            yield _table("Sources", [_health(row, local) for row in warehouse.rows(_HEALTH)])
            yield _table("What the sources deliver otherwise than before", _drift(warehouse, local))
        if warehouse.has_table("raw", "gate_results"):
            yield _table("What the gate objects to", warehouse.rows(_GATE))
        yield _table("Quarantine (reason, rows)", _quarantined(warehouse))
    try:
        with open_published(settings) as mart:
            yield _facts(f"Published mart: {settings.published_file}", mart.rows(_PUBLISHED)[0])
    except WarehouseError as error:
        yield _facts("Published mart", {"none": str(error)})


def _health(row: dict[str, Any], local: ZoneInfo) -> dict[str, Any]:
    """One source and entity: how it is, how old its newest row may be and is, how many rows a day it should bring."""
    age = "" if row["hours_old"] is None else f"{row['hours_old']:.0f} h (≤ {row['expected_hours']:.0f} h)"
    volume = "" if row["last_day"] is None else f"{row['last_day']:,}"
    if row["expected_rows"] is not None:
        volume += f" (≈ {row['expected_rows']:,.0f})"
    state = row["state"] + (f" since {_at(row['since'], local)}" if row["since"] else "")
    return {
        "source": row["source"], "entity": row["entity"], "state": state, "newest row": _at(row["newest_row"], local),
        "age": age, "last day": volume, "loaded": row["loaded"], "changed": row["merged"],
        "quarantined": row["quarantined"], "last success": _at(row["last_success"], local),
        "last error": row["last_error"],
    }  # fmt: skip


def _drift(warehouse: Warehouse, local: ZoneInfo) -> list[dict[str, Any]]:
    return [row | {"since": _at(row["since"], local)} for row in warehouse.rows(_DRIFT)]


def _at(instant: datetime | None, local: ZoneInfo) -> str:
    return "" if instant is None else f"{instant.replace(tzinfo=UTC).astimezone(local):%Y-%m-%d %H:%M}"


def _quarantined(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Open rows of all quarantine tables by entity, field and rule."""
    names = warehouse.rows("select table_name from information_schema.tables where table_schema = 'quarantine'")
    if not names:
        return []
    union = " union all ".join(
        f"select entity, field, rule, remedy from quarantine.{row['table_name']} where replayed_at is null"
        for row in names
    )
    return warehouse.rows(
        "select entity, field, rule, count(*) as waiting, max(remedy) as remedy"
        f" from ({union}) waiting group by entity, field, rule order by waiting desc"
    )


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in rows[0] if rows else ("nothing",):
        table.add_column(name)
    for row in rows:
        table.add_row(*(escape(_shown(value)) for value in row.values()))
    return table


def _facts(title: str, facts: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), escape(_shown(value)))
    return table


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:,}" if isinstance(value, int) else str(value)
