"""Arrivals out of the warehouse, forecasts and agents required back in: the only passage between SQL and `demand`.

A forecast stays as it was made, so that it can be compared with what came: loading one replaces only one of the same
day. Of the agents required each hour keeps the newest figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from huiyin.config import Settings
from warehouse.connection import Warehouse, open_warehouse

SELECT_DEMAND = "tag:demand"
"""What to build after a forecast (for `run_dbt`)."""

DEMAND_TABLES: dict[str, tuple[pa.Schema, tuple[str, ...]]] = {
    "forecast": (
        pa.schema(
            [
                pa.field("made_on", pa.date32(), nullable=False),
                pa.field("date_day", pa.date32(), nullable=False),
                pa.field("hour_of_day", pa.int64(), nullable=False),
                pa.field("channel", pa.string(), nullable=False),
                pa.field("expected_count", pa.float64()),
                pa.field("low_count", pa.int64()),
                pa.field("high_count", pa.int64()),
                pa.field("method", pa.string()),
                pa.field("is_backtest", pa.bool_()),
            ]
        ),
        ("made_on", "date_day", "hour_of_day", "channel"),
    ),
    "forecast_shares": (
        pa.schema(
            [
                pa.field("made_on", pa.date32(), nullable=False),
                pa.field("channel", pa.string(), nullable=False),
                pa.field("problem_type", pa.string(), nullable=False),
                pa.field("share", pa.float64()),
            ]
        ),
        ("made_on", "channel", "problem_type"),
    ),
    "staffing": (
        pa.schema(
            [
                pa.field("date_day", pa.date32(), nullable=False),
                pa.field("hour_of_day", pa.int64(), nullable=False),
                pa.field("staffing_group", pa.string(), nullable=False),
                pa.field("made_on", pa.date32()),
                pa.field("expected_count", pa.float64()),
                pa.field("handling_seconds", pa.float64()),
                pa.field("load_erlangs", pa.float64()),
                pa.field("required_positions", pa.float64()),
                pa.field("required_agents", pa.float64()),
                pa.field("service_level", pa.float64()),
                pa.field("occupancy", pa.float64()),
            ]
        ),
        ("date_day", "hour_of_day", "staffing_group"),
    ),
}
# A group's media are joined by '；' in the rules file.
_SERVES = "'；' || replace(g.media, ' ', '') || '；' LIKE '%；' || {medium} || '；%'"
_GROUP_OF_CHANNEL = f"""
    SELECT c.channel, g.staffing_group
    FROM rules.channels AS c
    JOIN rules.staffing_targets AS g ON {_SERVES.format(medium="c.medium")}
"""
# What the rules don't state is measured; a group for which neither is known isn't staffed.
_TARGETS = f"""
    SELECT * FROM (
        SELECT g.staffing_group, g.method, g.service_level, g.target_seconds, g.concurrency, g.shrinkage,
            g.max_occupancy, g.carries_over, coalesce(g.handling_seconds, (
                SELECT sum(t.worked_seconds) / sum(t.arrival_count) FROM intermediate.int_handling_times AS t
                WHERE t.team = g.team AND {_SERVES.format(medium="t.medium")}
            )) AS handling_seconds
        FROM rules.staffing_targets AS g
    ) AS targets
    WHERE handling_seconds IS NOT NULL
    ORDER BY staffing_group
"""
_SCHEDULE = "coalesce(schedule_id, (SELECT min(schedule_id) FROM rules.service_schedules WHERE is_default))"


@dataclass(frozen=True)
class ForecastState:
    """The local day of the newest data, of which only a part is known, and the day of the newest forecast."""

    today_on: date
    forecast_on: date | None

    def is_due(self, every_days: int = 7) -> bool:
        """Whether the newest forecast is that old, or there is none. Of a day before it no new one is made."""
        return self.forecast_on is None or (self.today_on - self.forecast_on).days >= every_days


def export_arrivals(settings: Settings, folder: Path) -> ForecastState:
    """Write arrivals.parquet, calendar.parquet and campaigns.parquet for `demand.files.forecast_files`."""
    schema = _mart(settings)
    with open_warehouse(settings) as warehouse:
        _create_tables(warehouse)
        _write(
            warehouse,
            f"SELECT date_day, hour_of_day, channel, problem_type, arrival_count FROM {schema}.fct_demand_hourly"
            " WHERE arrival_count > 0 ORDER BY date_day, hour_of_day, channel, problem_type",
            folder / "arrivals.parquet",
        )
        _write(
            warehouse,
            "SELECT date_day, day_kind, holiday_name FROM intermediate.int_days ORDER BY date_day",
            folder / "calendar.parquet",
        )
        _write(
            warehouse,
            "SELECT name, starts_on, ends_on, expected_lift FROM rules.campaigns ORDER BY starts_on, name",
            folder / "campaigns.parquet",
        )
        today_on = warehouse.rows(f"SELECT max(made_on) AS today_on FROM ({_today(settings)}) AS t")[0]["today_on"]
        newest = warehouse.rows("SELECT max(made_on) AS made_on FROM demand.forecast WHERE NOT is_backtest")[0]
    return ForecastState(today_on, newest["made_on"])


def _today(settings: Settings) -> str:
    local = f"(as_of_at AT TIME ZONE 'UTC') AT TIME ZONE '{settings.timezone}'"
    return f"SELECT CAST({local} AS date) AS made_on FROM intermediate.int_as_of"


def load_forecast(settings: Settings, folder: Path) -> int:
    """Load forecast.parquet and forecast_shares.parquet; how many rows. Replaces forecasts made on the same days."""
    forecast = _read(folder / "forecast.parquet", "forecast")
    shares = _read(folder / "forecast_shares.parquet", "forecast_shares")
    with open_warehouse(settings) as warehouse:
        _create_tables(warehouse)
        with warehouse.transaction():
            for table, rows in (("forecast", forecast), ("forecast_shares", shares)):
                days = rows.select(["made_on"]).group_by("made_on").aggregate([])
                warehouse.delete_matching("demand", table, days)
                warehouse.append("demand", table, rows)
    return int(forecast.num_rows)


def export_planned(settings: Settings, folder: Path) -> int:
    """Write planned.parquet, targets.parquet and opening.parquet for `demand.files.staffing_files`.

    planned is the newest forecast by group of channels; how many rows it has, 0 where there is no forecast yet.
    """
    with open_warehouse(settings) as warehouse:
        _create_tables(warehouse)
        newest = "(SELECT max(made_on) FROM demand.forecast WHERE NOT is_backtest)"
        planned = _write(
            warehouse,
            "SELECT f.made_on, f.date_day, f.hour_of_day, g.staffing_group, sum(f.expected_count) AS expected_count"
            f" FROM demand.forecast AS f JOIN ({_GROUP_OF_CHANNEL}) AS g ON f.channel = g.channel"
            f" WHERE f.made_on = {newest} AND NOT f.is_backtest"
            " GROUP BY 1, 2, 3, 4 ORDER BY 2, 3, 4",
            folder / "planned.parquet",
        )
        _write(warehouse, _TARGETS, folder / "targets.parquet")
        _write(
            warehouse,
            "SELECT g.staffing_group, h.date_day, h.hour_of_day, h.open_seconds"
            f" FROM (SELECT staffing_group, {_SCHEDULE} AS schedule_id FROM rules.staffing_targets) AS g"
            " JOIN intermediate.int_open_hours AS h ON g.schedule_id = h.schedule_id"
            f" WHERE h.date_day >= {newest} ORDER BY 1, 2, 3",
            folder / "opening.parquet",
        )
    return planned


def load_staffing(settings: Settings, folder: Path) -> int:
    """Load staffing.parquet; how many rows. Its hours are replaced, and with them what other groups had planned."""
    rows = _read(folder / "staffing.parquet", "staffing")
    with open_warehouse(settings) as warehouse:
        _create_tables(warehouse)
        with warehouse.transaction():
            days = rows.select(["date_day"]).group_by("date_day").aggregate([])
            warehouse.delete_matching("demand", "staffing", days)
            warehouse.append("demand", "staffing", rows)
    return int(rows.num_rows)


def _create_tables(warehouse: Warehouse) -> None:
    for table, (schema, key) in DEMAND_TABLES.items():
        warehouse.create_table("demand", table, schema, key)


def _mart(settings: Settings) -> str:
    return "mart" if settings.dialect == "duckdb" else "mart_build"


def _write(warehouse: Warehouse, query: str, file: Path) -> int:
    rows = warehouse.query(query)
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, file)
    return int(rows.num_rows)


def _read(file: Path, table: str) -> pa.Table:
    schema, _ = DEMAND_TABLES[table]
    return pq.read_table(file).select(schema.names).cast(schema)
