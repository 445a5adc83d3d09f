"""The operator's view: what was loaded, what the gate said, what is published, what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.markup import escape
from rich.table import Table

from huiyin.config import Settings
from warehouse import Warehouse, WarehouseError, open_published, open_warehouse

_SOURCES = """
with latest as (
    select source, entity, max(finished_at) as last_at,
           sum(fetched) as fetched, sum(loaded) as loaded, sum(merged) as merged, sum(quarantined) as quarantined
    from raw.load_audit group by source, entity
), failed as (
    select source, max(started_at) as failed_at from raw.load_audit where error is not null group by source
)
select latest.*, (select max(a.error) from raw.load_audit a
                  where a.source = latest.source and a.started_at = failed.failed_at
                    and failed.failed_at >= latest.last_at) as error
from latest left join failed on failed.source = latest.source
order by latest.source, latest.entity
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
        yield _table("Sources", warehouse.rows(_SOURCES) if warehouse.has_table("raw", "load_audit") else [])
        if warehouse.has_table("raw", "gate_results"):
            yield _table("What the gate objects to", warehouse.rows(_GATE))
        yield _table("Quarantine (reason, rows)", _quarantined(warehouse))
    try:
        with open_published(settings) as mart:
            yield _facts(f"Published mart: {settings.published_file}", mart.rows(_PUBLISHED)[0])
    except WarehouseError as error:
        yield _facts("Published mart", {"none": str(error)})


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
    return f"{value:,}" if isinstance(value, int) else str(value).split(".")[0]
