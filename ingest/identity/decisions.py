"""What people say about identities: append-only verdicts on pairs of refs; the latest of a pair is in force."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Literal

import pandas as pd
import pyarrow as pa

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from ingest.identity.tables import IDENTITY_DECISIONS, ensure_identity_tables
from warehouse.connection import Warehouse, open_warehouse

Verdict = Literal["link", "separate", "withdraw"]


class IdentityDecisionError(HuiyinError, ValueError):
    """The verdict can't be taken; the message says why."""


def decide(settings: Settings, first: str, second: str, verdict: Verdict, actor: str, reason: str) -> None:
    """Record a person's verdict on two refs; it holds for ever, against whatever evidence, until withdrawn.

    Takes effect with the next :func:`ingest.identity.resolve`. Raises :class:`IdentityDecisionError` for unknown or
    equal refs, a missing name or reason, and a withdrawal of what nobody decided.
    """
    actor, reason = actor.strip(), reason.strip()
    if not actor or not reason:
        raise IdentityDecisionError("a verdict needs who says so and why: give --by and --reason")
    a, b = sorted((first, second))
    if a == b:
        raise IdentityDecisionError(f"{a} is one ref; a verdict needs two")
    with open_warehouse(settings) as warehouse:
        ensure_identity_tables(warehouse)
        with warehouse.transaction():
            warehouse.lock("huiyin.identity")
            known = warehouse.select_matching("raw", "identity", pa.table({"ref": [a, b]})).column("ref").to_pylist()
            for ref in (a, b):
                if ref not in known:
                    raise IdentityDecisionError(f"no ref {ref!r}; `huiyin identity review` and `list` show refs")
            in_force = verdicts_in_force(warehouse)
            if verdict == "withdraw" and not ((in_force["a"] == a) & (in_force["b"] == b)).any():
                raise IdentityDecisionError(f"there is no verdict on {a} and {b} to withdraw")
            row = {
                "decision_id": secrets.token_hex(8), "ref_a": a, "ref_b": b, "verdict": verdict, "actor": actor,
                "reason": reason, "decided_at": datetime.now(UTC).replace(tzinfo=None),
            }  # fmt: skip
            warehouse.append("raw", "identity_decisions", pa.Table.from_pylist([row], schema=IDENTITY_DECISIONS))


def verdicts_in_force(warehouse: Warehouse) -> pd.DataFrame:
    """The latest verdict on each pair that isn't withdrawn: a, b, verdict, actor, reason; the oldest first."""
    rows: pd.DataFrame = warehouse.query("select * from raw.identity_decisions").to_pandas()
    rows = rows.sort_values(["decided_at", "decision_id"]).drop_duplicates(["ref_a", "ref_b"], keep="last")
    rows = rows[rows["verdict"] != "withdraw"].rename(columns={"ref_a": "a", "ref_b": "b"})
    return rows[["a", "b", "verdict", "actor", "reason"]].reset_index(drop=True)
