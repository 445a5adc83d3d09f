"""Engines are compared on the same samples of the texts, with intervals of their differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from huiyin.cli import app
from nlp.evaluation import compare


def test_a_small_difference_is_seen_where_the_figures_intervals_overlap() -> None:
    """Both are right on 80 %, the better one also on 30 of 1,000 texts more."""
    truth = np.arange(1000) % 2 == 0
    right = np.arange(1000) % 5 > 0
    better = right | np.isin(np.arange(1000), np.flatnonzero(~right)[:30])
    scores = {name: np.where(found == truth, 0.9, 0.1) for name, found in (("a", right), ("b", better))}
    found = compare(scores, truth.tolist(), seed=1)
    a, b = found.figures["a"]["accuracy"], found.figures["b"]["accuracy"]
    assert (a.value, b.value) == (0.8, 0.83)
    assert b.low < a.high
    moved = found.differences["b"]["accuracy"]
    assert moved.value == pytest.approx(0.03)
    # 30 of 1,000 that only one has right: standard error √(0.03 · 0.97 / 1000) = 0.0054.
    assert (moved.low, moved.high) == (pytest.approx(0.03 - 0.0106, abs=0.003), pytest.approx(0.03 + 0.0106, abs=0.003))
    same = compare({"a": scores["a"], "c": scores["a"]}, truth.tolist(), seed=1).differences["c"]
    assert all((each.value, each.low, each.high) == (0, 0, 0) for each in same.values())


def test_the_command_writes_figures_and_differences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUIYIN_VAR", str(tmp_path))
    rows = "".join(f"{text},{label}\n" for text, label in (("很好用", "1"), ("太差了", "0"), ("一般", "中")) * 20)
    (tmp_path / "in.csv").write_text(f"text,label\n{rows}", "utf-8")
    given = ["evaluate", str(tmp_path / "in.csv"), "--engines", "default,snownlp", "--out", str(tmp_path / "out.csv")]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert "minus default" in result.output and "20 rows with another label" in result.output
    written = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert set(zip(written["engine"], written["minus"], strict=True)) == {
        ("default", ""), ("snownlp", ""), ("snownlp", "default"),
    }  # fmt: skip
    assert (written["low"] <= written["value"]).all() and (written["value"] <= written["high"]).all()
