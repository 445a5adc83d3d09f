# ruff: noqa: DTZ001 (instants of the warehouse are naive UTC)
"""A source that delivers only today's row leaves a history: of tiers, regions, teams, joined as of the event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from mart_company import Built, load

from huiyin.config import Settings
from ingest.contract import ENTITIES
from ingest.erasure import erase_person
from ingest.identity.tables import ensure_identity_tables
from ingest.masking import load_masker
from ingest.rotation import check_key, rotate
from ingest.tables import ensure_tables
from warehouse.connection import open_warehouse
from warehouse.dbt import run_dbt

pytestmark = pytest.mark.slow

LONG_AGO = datetime(2020, 1, 1)
VERSIONS = ["customer_ref", "valid_from_at", "valid_to_at", "is_current", "tier", "region"]


def customer(ref: str, tier: str, valid_from_at: datetime = LONG_AGO, **fields: Any) -> dict[str, Any]:
    return {"customer_ref": ref, "valid_from_at": valid_from_at, "tier": tier, **fields}


def agent(team: str, hired_on: date = date(2024, 1, 1)) -> dict[str, Any]:
    return {"agent_ref": "a", "valid_from_at": LONG_AGO, "team": team, "hired_on": hired_on}


def deliver(settings: Settings, day: datetime, **rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows of a source as it has them on a day, merged into raw as the loader does."""
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        for name, given in rows.items():
            entity = ENTITIES[name]
            load_columns = {
                "_source": "crm", "_batch_id": "b", "_loaded_at": day, "_delivered_at": day
            }  # fmt: skip
            filled = [
                {c: (load_columns | dict(row)).get(c) for c in entity.arrow_schema.names} | {"_row_hash": str(row)}
                for row in given
            ]
            data = pa.Table.from_pylist(filled, entity.arrow_schema)
            warehouse.merge("raw", name, data, ("_source", *entity.key), version="_delivered_at")


def build(settings: Settings, *further: str) -> None:
    run_dbt(settings, "build", ["+dim_customer", "+dim_agent", *further], {"as_of": datetime(2025, 6, 30)})


def versions(settings: Settings) -> list[tuple[Any, ...]]:
    frame = Built(settings, {}).frame("dim_customer")[VERSIONS].sort_values(["customer_ref", "valid_from_at"])
    texts = frame.astype(object).where(frame.notna(), None)
    return [tuple(row) for row in texts.itertuples(index=False)]


DELIVERIES: tuple[tuple[datetime, dict[str, list[dict[str, Any]]]], ...] = (
    (
        datetime(2025, 3, 1),
        {
            "customers": [
                customer("current", "regular", region="华东", annual_revenue=900.0, name="n_1"),
                customer("stated", "regular"),
                customer("stated", "vip", datetime(2025, 2, 1)),
                customer("quiet", "vip"),
                customer("gone", "vip"),
            ],
            "agents": [agent("售后组")],
        },
    ),
    # The same again, and a change; what the CRM now says of a span that was over is a correction of all of it.
    (
        datetime(2025, 4, 1, 1),
        {
            "customers": [
                customer("current", "vip", region="华东", annual_revenue=900.0, name="n_1"),
                customer("stated", "vip", region="华南"),
                customer("quiet", "vip"),
                customer("gone", "vip", _deleted_at=datetime(2025, 4, 1)),
            ],
            "agents": [agent("物流组")],
        },
    ),
    # Another name is no change of what the mart knows.
    (
        datetime(2025, 5, 1),
        {"customers": [customer("current", "vip", region="华东", annual_revenue=900.0, name="n_2")]},
    ),
    (datetime(2025, 6, 1), {"customers": [customer("current", "regular", region="华北", annual_revenue=900.0)]}),
)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A company whose mart was built after each delivery."""
    settings = Settings(var=tmp_path_factory.mktemp("lived"))
    created = {"march": 10, "april": 40, "june": 100}
    load(
        settings,
        {
            "tickets": [
                {
                    "_source": "desk", "ticket_id": name, "customer_ref": "current", "channel": "phone",
                    "body": "漏水了", "created_at": pd.Timestamp(2025, 3, 1) + pd.Timedelta(days=days), "product": name,
                }
                for name, days in created.items()
            ],
            "ticket_events": [
                {
                    "_source": "desk", "event_id": f"{field} {name}", "ticket_id": name, "field": field,
                    "new_value": to, "actor_role": "agent",
                    "event_at": pd.Timestamp(2025, 3, 1) + pd.Timedelta(days=days, hours=1),
                }
                for name, days in created.items()
                for field, to in (("assignee", "a"), ("status", "solved"))
            ],
        },
    )  # fmt: skip
    for day, rows in DELIVERIES:
        deliver(settings, day, **rows)
        build(settings)
    build(settings, "+fct_tickets")
    return settings


def test_changes_hold_from_when_they_were_delivered_and_corrections_for_the_whole_span(lived: Settings) -> None:
    changed, back = datetime(2025, 4, 1, 1), datetime(2025, 6, 1)
    assert versions(lived) == [
        ("current", LONG_AGO, changed, False, "regular", "华东"),
        ("current", changed, back, False, "vip", "华东"),
        ("current", back, None, True, "regular", "华北"),
        ("quiet", LONG_AGO, None, True, "vip", None),
        ("stated", LONG_AGO, datetime(2025, 2, 1), False, "vip", "华南"),
        ("stated", datetime(2025, 2, 1), None, True, "vip", None),
    ]
    agents = Built(lived, {}).frame("dim_agent").sort_values("valid_from_at")
    assert list(zip(agents["team"], agents["valid_from_at"], strict=True)) == [
        ("售后组", LONG_AGO),
        ("物流组", changed),
    ]


def test_tickets_keep_the_tier_and_team_of_their_time(lived: Settings) -> None:
    tickets = Built(lived, {}).frame("fct_tickets").set_index("ticket_id")
    assert tickets["customer_tier"].to_dict() == {"march": "regular", "april": "vip", "june": "regular"}
    assert tickets["team"].to_dict() == {"march": "售后组", "april": "物流组", "june": "物流组"}
    assert tickets["tenure_band"].unique().tolist() == ["1y_to_3y"]


def test_building_again_changes_nothing_and_a_replay_of_the_deliveries_gives_the_same(
    lived: Settings, tmp_path: Path
) -> None:
    before = Built(lived, {}).frame("history.customer_history")
    deliver(lived, DELIVERIES[1][0], **DELIVERIES[1][1])  # an old file comes again
    build(lived)
    pd.testing.assert_frame_equal(Built(lived, {}).frame("history.customer_history"), before)
    assert not {"name", "phone", "email", "wechat"} & set(before.columns)

    replay = Settings(var=tmp_path)
    for day, rows in DELIVERIES:
        deliver(replay, day, **rows)
        run_dbt(replay, "build", ["+dim_customer"])
    assert versions(replay) == versions(lived)


def test_the_history_follows_a_new_key_and_an_erasure(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    masker = load_masker(settings)
    ref, other = masker.pseudonym("C1"), masker.pseudonym("C2")
    for day, tier in ((datetime(2025, 3, 1), "regular"), (datetime(2025, 4, 1), "vip")):
        deliver(
            settings,
            day,
            customers=[customer(ref, tier, annual_revenue=8000.0), customer(other, tier, annual_revenue=7000.0)],
        )
        run_dbt(settings, "build", ["+dim_customer"])
    with open_warehouse(settings) as warehouse:
        check_key(warehouse, masker)
        ensure_identity_tables(warehouse)
    rotate(settings)
    masker = load_masker(settings)
    renamed, kept = masker.pseudonym("C1"), masker.pseudonym("C2")
    history = Built(settings, {}).frame("history.customer_history")
    assert sorted(history["customer_ref"]) == sorted([renamed, kept] * 2)
    assert renamed != ref

    with open_warehouse(settings) as warehouse:
        done = erase_person(warehouse, masker, [renamed], "E-1", datetime(2026, 1, 1), "request 17")
    assert done.rows["history.customer_history"] == 2
    run_dbt(settings, "build", ["+dim_customer"])
    after = Built(settings, {}).frame("history.customer_history")
    assert not set(after["customer_ref"]) & {ref, renamed}
    assert not set(after["dbt_scd_id"]) & set(history.loc[history["customer_ref"] == renamed, "dbt_scd_id"])
    assert sorted(after["annual_revenue"].dropna()) == [7000.0, 7000.0]
    # One unknown customer whose tier changed then, as before.
    gone = [row for row in versions(settings) if row[0] not in (kept, other)]
    assert [(row[1], row[4]) for row in gone] == [(LONG_AGO, "regular"), (datetime(2025, 4, 1), "vip")]
    assert len({row[0] for row in gone}) == 1
