"""The operator's view of the sources: does each bring what it should, when it should?

``raw.source_health`` has one row a source and entity, judged as of an instant (the end of a run's interval, so that a
backfill isn't judged by today): did its loads succeed, how old is the newest row, how many rows did the last day bring
against the same weekdays of eight weeks. What is wrong becomes an alert of the source (``ingest/operator_alerts.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from statistics import fmean, median, pvariance
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa

from huiyin.config import Settings
from ingest.balance import balance_key
from ingest.connectors.delivery import utc_now
from ingest.operator_alerts import Condition, Settled, settle
from ingest.sources import DECISIONS, SourcesFile, load_sources
from ingest.tables import REPLAY_ORIGIN, SOURCE_HEALTH, ensure_tables
from warehouse.connection import Warehouse, open_warehouse

State = Literal["ok", "late", "down", "failing", "low_volume", "high_volume"]

# The field that tells when a row happened; entities without one change rarely and have no expected volume.
HAPPENED_AT = {"tickets": "created_at", "ticket_events": "event_at", "messages": "sent_at", "feedback": "created_at"}
WEEKS = 8
FEWEST_DAYS = 4  # comparable days without which nothing is expected
FEWEST_ROWS = 10  # expected a day, below which a day's number says nothing
FEWEST_MISSED = 7.0  # rows expected in a silence, below which it says nothing (chance of .001 that none came)
DEVIATIONS = 3.0
LOW, HIGH = 0.5, 2.0
_SEVERE = ("down", "failing", "late", "low_volume", "high_volume", "ok")
_DELIVERY = ("down", "failing", "late")


@dataclass(frozen=True)
class Evidence:
    """What is known of one source and entity at ``as_of`` (naive UTC, like all instants here).

    ``error`` is that of the last attempt (None: it succeeded, or there was none); ``failing_since_at`` when attempts
    began to fail. ``daily`` counts rows by the local day on which they happened; days without rows are absent. None of
    these for entities that tell no such instant.
    """

    source: str
    entity: str
    expected_every_hours: float
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str | None = None
    error: str | None = None
    failing_since_at: datetime | None = None
    newest_row_at: datetime | None = None
    daily: Mapping[date, int] | None = None


@dataclass(frozen=True)
class Health:
    """The judgement of one source and entity; the fields are the columns of ``raw.source_health``."""

    source: str
    entity: str
    state: State
    since_at: datetime
    reason: str
    last_success_at: datetime | None
    last_error_at: datetime | None
    last_error: str | None
    newest_row_at: datetime | None
    hours_since_new: float | None
    expected_every_hours: float
    last_day_on: date | None
    rows_last_day: int | None
    rows_expected: float | None
    assessed_at: datetime


def assess(
    settings: Settings,
    as_of: datetime | None = None,
    failures: Mapping[str, str] | None = None,
    names: Iterable[str] | None = None,
) -> tuple[list[Health], Settled]:
    """Judge the sources (all, or those of ``names``), keep the judgement, open and close their alerts.

    ``as_of`` (naive UTC; None: now) never goes back behind an earlier judgement. ``failures``: source and why, of
    loads that failed in a way that left no trace in ``raw.load_audit``. Raises ``SourcesFileError``.
    """
    sources = load_sources(settings)
    wanted = {source.name for source in sources.sources if source.name != DECISIONS}
    wanted &= wanted if names is None else set(names)
    now = utc_now()
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        before = {
            (row["source"], row["entity"]): row for row in warehouse.rows("select * from raw.source_health")
        }  # fmt: skip
        last = max((row["assessed_at"] for row in before.values()), default=datetime.min)  # noqa: DTZ901
        at = max(min(as_of or now, now), last)
        calendar = _calendar(warehouse, at.date() - timedelta(weeks=WEEKS, days=3), at.date())
        found = []
        for evidence in _evidence(warehouse, sources, wanted, settings.timezone, at, before, failures or {}):
            health = judge(evidence, at, settings.timezone, calendar)
            found.append(_since(health, before.get((health.source, health.entity))))
        _keep(warehouse, found, {name: [h.entity for h in found if h.source == name] for name in wanted}, sources)
        conditions = _conditions(warehouse, found, wanted)
        known = {source.name for source in sources.sources}
        return found, settle(warehouse, conditions, lambda key: _covers(key, wanted, known))


def judge(evidence: Evidence, as_of: datetime, zone: str, calendar: Mapping[date, str]) -> Health:
    """The state of one source and entity, the gravest first: down, failing, late, low or high volume, ok.

    ``calendar``: day kind (workday, weekend, holiday, makeup_workday) by local day; a day that isn't there counts by
    its weekday. A failing source is *down* once it has failed for longer than it should take to bring something new.
    It is *late* when the silence is longer than expected and comparable days would have brought rows in it. A day's
    number is low (high) where it is under half (over twice) the median of comparable days and also more than three
    standard deviations away from it (at least Poisson's).
    """
    last_day = _local(as_of, zone).date() - timedelta(days=1)
    hours = None
    if evidence.newest_row_at is not None:
        hours = max(0.0, (as_of - evidence.newest_row_at).total_seconds() / 3600)
    comparable = comparable_counts(evidence.daily or {}, last_day, calendar) if evidence.daily else []
    expected = median(comparable) if len(comparable) >= FEWEST_DAYS else None
    rows = (evidence.daily or {}).get(last_day, 0) if evidence.daily else None
    state: State = "ok"
    reason = "brings what is expected"
    since = as_of
    if evidence.error is not None:
        since = evidence.failing_since_at or as_of
        failing_hours = (as_of - since).total_seconds() / 3600
        state = "down" if failing_hours >= evidence.expected_every_hours else "failing"
        spell = f"has failed for {failing_hours:.0f} hours" if state == "down" else "failed"
        reason = f"loading {spell}: {evidence.error}"
    elif hours is not None and hours > evidence.expected_every_hours and _missed(evidence, as_of, zone, calendar):
        state = "late"
        since = (evidence.newest_row_at or as_of) + timedelta(hours=evidence.expected_every_hours)
        reason = f"nothing new for {hours:.0f} hours; expected every {evidence.expected_every_hours:g}"
    elif rows is not None and expected is not None and expected >= FEWEST_ROWS:
        spread = math.sqrt(max(pvariance(comparable), expected))
        beyond = abs(rows - expected) > DEVIATIONS * spread
        if beyond and rows < LOW * expected:
            state = "low_volume"
        elif beyond and rows > HIGH * expected:
            state = "high_volume"
        if state != "ok":
            reason = f"{rows:,} rows on {last_day}; {expected:,.0f} expected"
    return Health(
        evidence.source, evidence.entity, state, since, reason, evidence.last_success_at, evidence.last_error_at,
        evidence.last_error, evidence.newest_row_at, hours, evidence.expected_every_hours,
        last_day if rows is not None else None, rows, expected, as_of,
    )  # fmt: skip


def comparable_counts(daily: Mapping[date, int], day: date, calendar: Mapping[date, str]) -> list[int]:
    """Rows of the days of the last eight weeks that should be like ``day``, from the first day that had any.

    Workdays and weekend days are compared with the same weekday; a holiday with holidays and weekend days, a make-up
    workday (调休) with all workdays.
    """
    begin = max(min(daily, default=day), day - timedelta(weeks=WEEKS))
    kind = _kind(day, calendar)
    like = {"holiday": ("holiday", "weekend"), "makeup_workday": ("workday", "makeup_workday")}.get(kind, (kind,))
    counts = []
    for back in range(1, (day - begin).days + 1):
        other = day - timedelta(days=back)
        same_weekday = kind in ("holiday", "makeup_workday") or other.weekday() == day.weekday()
        if same_weekday and _kind(other, calendar) in like:
            counts.append(daily.get(other, 0))
    return counts


def _kind(day: date, calendar: Mapping[date, str]) -> str:
    return calendar.get(day, "weekend" if day.weekday() >= 5 else "workday")


def _missed(evidence: Evidence, as_of: datetime, zone: str, calendar: Mapping[date, str]) -> bool:
    """Whether comparable days would have brought rows on the whole days of the silence; without such days: yes.

    Where less than a day is expected between rows, nothing is said by whole days, and what is configured holds.
    """
    assert evidence.newest_row_at is not None
    if evidence.expected_every_hours < 24:
        return True
    begin, end = _local(evidence.newest_row_at, zone).date(), _local(as_of, zone).date()
    # The days before the silence are what is usual; longer ago than eight weeks nothing is.
    usual = {day: count for day, count in (evidence.daily or {}).items() if day < begin}
    expected = 0.0
    for n in range(1, (end - begin).days):
        counts = comparable_counts(usual, begin + timedelta(days=n), calendar)
        if len(counts) < FEWEST_DAYS:
            return True
        expected += fmean(counts)
        if expected >= FEWEST_MISSED:
            return True
    return False


def _local(instant: datetime, zone: str) -> datetime:
    return instant.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))


def _since(health: Health, before: Mapping[str, Any] | None) -> Health:
    """A state that goes on began when it began."""
    if before is None or before["state"] != health.state or health.state in _DELIVERY:
        return health
    return replace(health, since_at=before["since_at"])


def _evidence(
    warehouse: Warehouse,
    sources: SourcesFile,
    names: set[str],
    zone: str,
    as_of: datetime,
    before: Mapping[tuple[str, str], Mapping[str, Any]],
    failures: Mapping[str, str],
) -> Iterable[Evidence]:
    attempts = _attempts(warehouse)
    for source in sources.sources:
        if source.name not in names:
            continue
        for entity in dict.fromkeys(table.entity for table in source.tables):
            tried = attempts.get((source.name, entity), {})
            known = before.get((source.name, entity), {})
            success_at, error_at, error = (tried.get(name) for name in ("success_at", "error_at", "error"))
            is_failing = error is not None and (success_at is None or success_at <= error_at)
            if known.get("last_error_at") and (error_at is None or known["last_error_at"] > error_at):
                error_at, error = known["last_error_at"], known["last_error"]  # it left no trace in the audit
            if not is_failing and source.name in failures:
                is_failing, error_at, error = True, utc_now(), failures[source.name]
            was_failing = known.get("state") in ("failing", "down")
            newest, daily = None, None
            if field := HAPPENED_AT.get(entity):
                newest, daily = _rows_of(warehouse, source.name, entity, field, zone, as_of)
            yield Evidence(
                source.name,
                entity,
                source.expected_every_hours,
                success_at,
                error_at,
                error,
                error if is_failing else None,
                known["since_at"] if was_failing else as_of,
                newest,
                daily,
            )


def _attempts(warehouse: Warehouse) -> dict[tuple[str, str], dict[str, Any]]:
    """When loads of each source and entity last succeeded and last failed, and the last error. A batch in which any
    table of the entity failed has failed; what was replayed from the quarantine is no load."""
    rows = warehouse.rows(
        "with batches as (select source, entity, batch_id, max(finished_at) as ended_at, max(error) as error"
        f" from raw.load_audit where origin <> '{REPLAY_ORIGIN}' group by 1, 2, 3),"
        " latest as (select source, entity, max(case when error is null then ended_at end) as success_at,"
        " max(case when error is not null then ended_at end) as error_at from batches group by 1, 2)"
        " select latest.*, (select max(b.error) from batches b where b.source = latest.source"
        " and b.entity = latest.entity and b.ended_at = latest.error_at) as error from latest"
    )
    return {(row["source"], row["entity"]): row for row in rows}


def _rows_of(
    warehouse: Warehouse, source: str, entity: str, field: str, zone: str, as_of: datetime
) -> tuple[datetime | None, dict[date, int] | None]:
    """The newest instant up to ``as_of`` and the rows by local day of the weeks before."""
    local_day = f"cast(({field} at time zone 'UTC') at time zone '{zone}' as date)"
    newest = warehouse.rows(
        f"select max({field}) as newest from raw.{entity} where _source = '{source}' and {field} <= '{as_of}'"
    )[0]["newest"]
    if newest is None:
        return None, None
    # Long enough for the comparable days before a long silence, too.
    begin = min(newest, as_of) - timedelta(weeks=WEEKS, days=3)
    rows = warehouse.rows(
        f"select {local_day} as day, count(*) as n from raw.{entity}"
        f" where _source = '{source}' and {field} >= '{begin}' and {field} <= '{as_of}' group by 1"
    )
    return newest, {row["day"]: row["n"] for row in rows}


def _calendar(warehouse: Warehouse, from_on: date, to_on: date) -> dict[date, str]:
    rows = warehouse.rows(
        f"select date_day, day_kind from raw.calendar_days where date_day >= '{from_on}' and date_day <= '{to_on}'"
    )
    return {row["date_day"]: row["day_kind"] for row in rows}


def _keep(
    warehouse: Warehouse, found: Sequence[Health], judged: Mapping[str, Sequence[str]], sources: SourcesFile
) -> None:
    """Replace the rows of the judged sources; sources and entities that are no longer configured disappear."""
    known = [source.name for source in sources.sources]
    rows = pa.Table.from_pylist([vars(health) for health in found], schema=SOURCE_HEALTH)
    listed = ", ".join(f"'{name}'" for name in known)
    with warehouse.transaction():
        warehouse.lock("huiyin.source_health")
        warehouse.execute(f"delete from raw.source_health where source not in ({listed})")
        for name in judged:
            warehouse.execute(f"delete from raw.source_health where source = '{name}'")
        warehouse.append("raw", "source_health", rows)


def _conditions(warehouse: Warehouse, found: Sequence[Health], names: set[str]) -> list[Condition]:
    conditions = []
    for name in sorted(names):
        mine = [health for health in found if health.source == name]
        delivery = [health for health in mine if health.state in _DELIVERY]
        if delivery:
            gravest = min(delivery, key=lambda health: _SEVERE.index(health.state))
            remedy = "mend the source or its entry in the sources file, then clear the task"
            if gravest.state == "late":
                remedy = "ask the source's owner whether it still delivers; else raise `expected_every_hours`"
            conditions.append(
                Condition(
                    f"source/{name}/delivery",
                    "delivery",
                    f"source {name} is {gravest.state}: {_told(delivery)}",
                    remedy,
                    "critical" if gravest.state == "down" else "warning",
                    name,
                )
            )
        if volume := [health for health in mine if health.state in ("low_volume", "high_volume")]:
            conditions.append(
                Condition(
                    f"source/{name}/volume",
                    "volume",
                    f"source {name} brought an unusual number of rows: {_told(volume)}",
                    "compare with the source: a partial export, a doubled delivery, or a real event",
                    source=name,
                )
            )
        conditions += _standing(warehouse, name)
    return conditions


def _told(found: Sequence[Health]) -> str:
    reasons = dict.fromkeys(health.reason for health in found)
    if len(reasons) == 1:
        return f"{', '.join(health.entity for health in found)}: {next(iter(reasons))}"
    return "; ".join(f"{health.entity}: {health.reason}" for health in found)


def _standing(warehouse: Warehouse, name: str) -> Iterable[Condition]:
    """Drift that loses something goes on until it is settled."""
    rows = warehouse.rows(
        "select entity, kind, name, detail, remedy from raw.drift"
        f" where source = '{name}' and ended_at is null and kind in ('missing_column', 'retyped_column')"
        " order by first_seen_at, entity, name"
    )
    if rows:
        told = "; ".join(f"{row['entity']}: {row['detail']}" for row in rows)
        yield Condition(
            f"source/{name}/drift", "drift", f"source {name} changed: {told}", rows[0]["remedy"], source=name
        )


def _covers(key: str, judged: set[str], known: set[str]) -> bool:
    """This judgement covers the alerts of its sources and of sources that no longer exist, but not their balance,
    which loads judge."""
    if not key.startswith("source/"):
        return False
    name = key.split("/")[1]
    return name not in known or (name in judged and key != balance_key(name))
