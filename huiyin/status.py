"""The operator's view: what needs a hand, how the sources do, what the gate said, what is published and was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from huiyin.config import Settings
from huiyin.local_time import local_minute
from ingest.sources import DECISIONS
from warehouse import Warehouse, WarehouseError, open_published, open_warehouse

_ALERTS = """
select severity, alert_key as alert, opened_at as since, occurrences as seen, message, remedy
from raw.operator_alerts where closed_at is null
order by case severity when 'critical' then 0 else 1 end, opened_at
"""
_HEALTH = f"""
with loaded as (
    select source, entity, cast(sum(loaded) as bigint) as loaded
    from raw.load_audit where source <> '{DECISIONS}' group by source, entity
)
select coalesce(h.source, l.source) as source, coalesce(h.entity, l.entity) as entity,
       coalesce(h.state, 'not judged') as state, h.newest_row_at as newest_row, h.hours_since_new as hours_old,
       h.rows_last_day as last_day, h.rows_expected as expected_rows, l.loaded,
       h.last_success_at, h.last_error_at, h.last_error
from raw.source_health h full outer join loaded l on l.source = h.source and l.entity = h.entity
order by 1, 2
"""
_DRIFT = """
select source, entity, detail, first_seen_at as since, action, remedy
from raw.drift where ended_at is null order by first_seen_at desc, source, entity, detail limit 20
"""
_MODELS = """
select watch_kind, window_id, measure, text_count, mean_value, reference_mean, drift_index, is_drift
from (
    select *, row_number() over (
        partition by watch_kind, measure
        order by coalesce(week_start_on, cast(watched_at as date)) desc, watched_at desc
    ) as newest_first
    from nlp.model_watch
) ranked
where newest_first = 1 order by watch_kind desc, measure
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


def tables(settings: Settings) -> Iterator[RenderableType]:
    """One part after the other, each readable in 100 columns. Raises :class:`WarehouseError` where nothing was run."""
    with open_warehouse(settings, read_only=True, lock_wait_seconds=5) as warehouse:
        zone = settings.timezone
        if warehouse.has_table("raw", "source_health"):
            yield _lines("Open alerts", [_alert(row, zone) for row in warehouse.rows(_ALERTS)])
            health = warehouse.rows(_HEALTH)
            yield _table("Sources", [_health(row, zone) for row in health])
            yield _lines("Last errors of the sources", _errors(health, zone))
            drift = [_drift(row, zone) for row in warehouse.rows(_DRIFT)]
            yield _lines("What the sources deliver otherwise than before", drift)
        if warehouse.has_table("raw", "gate_results"):
            yield _table("What the gate objects to", warehouse.rows(_GATE))
        yield _table("Quarantine (reason, rows)", _quarantined(warehouse))
        if warehouse.has_table("nlp", "model_watch"):
            watched = [_watched(row) for row in warehouse.rows(_MODELS)]
            yield _table("Models: the newest week and scoring run beside their reference", watched)
    try:
        with open_published(settings) as mart:
            if mart.has_table("mart", "fct_sentiment") and mart.has_table("mart", "fct_cards"):
                place = settings.published_file if settings.dialect == "duckdb" else "schema mart"
                yield _facts(f"Published mart: {place}", mart.rows(_PUBLISHED)[0])
            else:
                yield _facts("Published mart", {"none": "run `huiyin run` first"})
    except WarehouseError as error:
        yield _facts("Published mart", {"none": str(error)})


Told = tuple[str, str, str]  # what it is about, what happened, what to do


def _alert(row: dict[str, Any], zone: str) -> Told:
    often = f", seen {row['seen']:,} times" if row["seen"] > 1 else ""
    return (
        f"{row['severity']} · {row['alert']} · since {local_minute(row['since'], zone)}{often}",
        row["message"],
        row["remedy"],
    )


def _errors(health: Sequence[dict[str, Any]], zone: str) -> list[Told]:
    """The last error of each source and entity; entities of a source that share it in one."""
    entities: dict[tuple[str, str, str], list[str]] = {}
    for row in health:
        if row["last_error"]:
            is_over = row["last_success_at"] and row["last_success_at"] > row["last_error_at"]
            over = f"; loaded since, last {local_minute(row['last_success_at'], zone)}" if is_over else ""
            key = row["source"], row["last_error"], f"{local_minute(row['last_error_at'], zone)}{over}"
            entities.setdefault(key, []).append(row["entity"])
    return [(f"{source} · {', '.join(names)} · {when}", error, "") for (source, error, when), names in entities.items()]


def _drift(row: dict[str, Any], zone: str) -> Told:
    about = f"{row['source']} · {row['entity']} · since {local_minute(row['since'], zone)}"
    return about, f"{row['detail']}; {row['action']}", row["remedy"]


def _health(row: dict[str, Any], zone: str) -> dict[str, Any]:
    """One source and entity: how it is, how old its newest row is, how many rows a day it brought and should bring."""
    volume = "" if row["last_day"] is None else f"{row['last_day']:,}"
    if row["expected_rows"] is not None:
        volume += f" (≈ {row['expected_rows']:,.0f})"
    return {
        "source": row["source"], "entity": row["entity"], "state": row["state"],
        "newest row": local_minute(row["newest_row"], zone), "age": _age(row["hours_old"]), "last day": volume,
        "loaded": row["loaded"],
    }  # fmt: skip


def _age(hours: float | None) -> str:
    if hours is None:
        return ""
    return f"{hours:.0f} h" if hours < 100 else f"{hours / 24:,.0f} d"


def _watched(row: dict[str, Any]) -> dict[str, Any]:
    """One measure: its mean now and before, and whether it is another population."""
    index = row["drift_index"]
    return {
        "window": f"{row['watch_kind']} {row['window_id']}" if row["watch_kind"] == "week" else "newest run",
        "measure": row["measure"],
        "texts": row["text_count"],
        "mean": "" if row["mean_value"] is None else f"{row['mean_value']:.3f}",
        "before": "" if row["reference_mean"] is None else f"{row['reference_mean']:.3f}",
        "drift": "can't be said" if index is None else f"{index:.2f}" + (" DRIFT" if row["is_drift"] else ""),
    }


def _quarantined(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Open rows of all quarantine tables by source, entity, field and rule."""
    names = warehouse.rows("select table_name from information_schema.tables where table_schema = 'quarantine'")
    if not names:
        return []
    union = " union all ".join(
        f"select source, entity, field, rule, remedy from quarantine.{row['table_name']} where replayed_at is null"
        for row in names
    )
    return warehouse.rows(
        "select source, entity, field, rule, count(*) as waiting, max(remedy) as remedy"
        f" from ({union}) waiting group by source, entity, field, rule order by waiting desc"
    )


def _lines(title: str, rows: Sequence[Told]) -> RenderableType:
    """Long texts, one under the other: columns would tear their words apart."""
    parts: list[RenderableType] = [Text(title, style="bold")]
    for about, what, remedy in rows:
        parts.append(Padding(Text(about, style="bold"), (0, 0, 0, 2)))
        parts.append(Padding(Text(what + (f" → {remedy}" if remedy else "")), (0, 0, 0, 4)))
    if not rows:
        parts.append(Text("  nothing"))
    return Group(*parts, "")


def _table(title: str, rows: list[dict[str, Any]]) -> RenderableType:
    if not rows:
        return _lines(title, ())
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        is_number = any(isinstance(row[name], int) for row in rows)
        table.add_column(name.replace("_", " "), overflow="fold", justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(escape(_shown(value)) for value in row.values()))
    return Group(Text(title, style="bold"), table)


def _facts(title: str, facts: dict[str, Any]) -> RenderableType:
    table = Table(box=None, show_header=False)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), escape(_shown(value)))
    return Group(Text(title, style="bold"), table)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:,}" if isinstance(value, int) else str(value)
