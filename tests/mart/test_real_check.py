"""The mart agrees with what real service desks recorded of themselves (benchmarks/real_check.py, on a part of it)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from huiyin.config import PROJECT_ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def real_check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_check", PROJECT_ROOT / "benchmarks" / "real_check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_a_desks_own_counts_are_recomputed(real_check: ModuleType, shared_data: Path, tmp_path: Path) -> None:
    groups, _, reopenings, solutions = real_check.check_servicedesk(shared_data, tmp_path, 3_000)
    assert groups.rate > 0.98
    assert reopenings.rate > 0.999
    assert solutions.rate > 0.98
    for agreement in (groups, reopenings, solutions):
        assert agreement.rest.get("not explained", 0) <= 2, agreement


def test_activities_give_the_counts_that_pandas_finds(
    real_check: ModuleType, shared_data: Path, tmp_path: Path
) -> None:
    resolved_twice, *counted = real_check.check_helpdesk(shared_data, tmp_path, 1_500)
    assert [agreement.rate for agreement in counted] == [1.0, 1.0, 1.0]
    assert resolved_twice.rate > 0.9
    assert "not explained" not in resolved_twice.rest
