"""How the compiled libraries behave in our processes: where numba keeps its machine code, how many BLAS threads."""

from __future__ import annotations

import os
from pathlib import Path

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def keep_numba_code(models_dir: Path) -> None:
    """Make numba cache machine code in the model store, so that a read-only installation compiles only once.

    Call it before the first compiled function is imported. ``NUMBA_CACHE_DIR`` set by the operator wins.
    """
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    folder = models_dir / "numba"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    from numba import config

    config.reload_config()  # type: ignore[no-untyped-call]


def process_count(configured: int) -> int:
    """Worker processes to use: the configured number, or one for each core this process may run on."""
    return configured or len(os.sched_getaffinity(0))
