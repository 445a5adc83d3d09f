"""Run code that imports Airflow in a child, since Airflow reads its configuration once a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from huiyin.airflow_env import airflow_environment
from huiyin.config import Settings


def in_airflow(settings: Settings, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run Python with Airflow's environment and these arguments; raises where it fails."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | airflow_environment(settings),
        cwd=settings.home,
        capture_output=True,
        text=True,
        check=True,
    )
