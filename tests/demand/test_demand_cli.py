"""``huiyin demand`` on a file of its own, without a warehouse."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from huiyin.cli import app


def write_requests(file: Path, days: int) -> None:
    chance = random.Random(5)
    lines = ["created_at,channel"]
    for number in range(days):
        day = datetime(2025, 3, 1) + timedelta(days=number)  # noqa: DTZ001 (local instants)
        for _ in range(20 if day.weekday() > 4 else 40):
            at = day + timedelta(seconds=chance.randrange(8 * 3600, 20 * 3600))
            lines.append(f"{at},{chance.choice(['phone', 'chat'])}")
    file.write_text("\n".join(lines), encoding="utf-8")


def test_a_csv_file_is_forecast_by_hour_and_channel_with_its_errors_shown(tmp_path: Path) -> None:
    write_requests(tmp_path / "requests.csv", 80)
    out = tmp_path / "out" / "forecast.csv"
    arguments = ["demand", "forecast", str(tmp_path / "requests.csv"), "--out", str(out), "--channel", "channel"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "errors of 3 earlier forecasts" in shown.output
    table = pd.read_csv(out, parse_dates=["date_day"])
    assert len(table) == 28 * 24 * 2
    assert table["date_day"].min() == pd.Timestamp(2025, 5, 20)
    daily = table.groupby("date_day")["expected_count"].sum()
    weekday = daily[daily.index.weekday == 2].mean()
    assert weekday == pytest.approx(40, rel=0.1)
    # These customers came on holidays as on any day, so a holiday (端午节, a Monday) isn't believed to be quiet.
    assert daily[pd.Timestamp(2025, 6, 2)] > 30


def test_agents_are_counted_with_shrinkage() -> None:
    shown = CliRunner().invoke(app, ["demand", "agents", "--arrivals", "200", "--handling", "180"])
    assert "14 at their desks, 20 on the roster" in " ".join(shown.output.split())
