"""Rows for the gate."""

from __future__ import annotations

import pytest
from gate_company import Rows, company


@pytest.fixture
def rows() -> Rows:
    """A sound company, for the test to spoil."""
    return company()
