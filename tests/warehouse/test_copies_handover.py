# ruff: noqa: DTZ001 (instants of the warehouse are naive UTC)
"""Groups of texts that say the same grow from day to day and don't depend on how they were delivered."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from huiyin.config import NlpSettings, Settings
from nlp.copies import COPY_SCHEMA, copy_version, fold_copies
from nlp.scoring import SENTIMENT_SCHEMA
from warehouse.connection import open_warehouse
from warehouse.handover import NLP_TABLES, export_unfolded, forget_voices, load_copies

MONDAY = datetime(2025, 3, 3, 8)
PETITION = "我们三号楼二十户业主强烈要求退还电梯加装的押金,拖了半年没有任何人给说法"
FIRST = f"{PETITION}。"
OTHER = "昨天送来的洗衣机外壳磕掉一块漆,打电话一直没有人接"


@pytest.fixture(params=["duckdb", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A warehouse without voices; 400 texts a step."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    settings = Settings(var=tmp_path, warehouse=url, mask_key="k", nlp=NlpSettings(chunk_size=100))
    with open_warehouse(settings) as warehouse:
        warehouse.execute("CREATE SCHEMA intermediate")
        warehouse.execute(
            "CREATE TABLE intermediate.int_voices (voice_id VARCHAR, text VARCHAR, occurred_at TIMESTAMP)"
        )
    return settings


def deliver(settings: Settings, *voices: tuple[str, str, float]) -> None:
    """Voices of a day after Monday, in place of what they said before; then what the DAG's task does."""
    ids = pa.table({"voice_id": [voice for voice, _, _ in voices]})
    rows = ids.append_column("text", [[text for _, text, _ in voices]])
    instants = [MONDAY + timedelta(days=day) for _, _, day in voices]
    with open_warehouse(settings) as warehouse:
        warehouse.delete_matching("intermediate", "int_voices", ids)
        warehouse.append(
            "intermediate", "int_voices", rows.append_column("occurred_at", pa.array(instants, pa.timestamp("us")))
        )
    fold(settings)


def fold(settings: Settings) -> list[int]:
    """What the DAG's task does: how many texts each step looked at."""
    steps, folder = [], settings.handover_dir / "copies"
    while count := export_unfolded(settings, copy_version(settings), settings.nlp.copy_days, folder / "in.parquet"):
        fold_copies(settings, folder / "in.parquet", folder / "out.parquet")
        load_copies(settings, folder / "out.parquet")
        steps.append(count)
    return steps


def groups(settings: Settings) -> dict[str, str]:
    with open_warehouse(settings) as warehouse:
        rows = warehouse.rows("SELECT voice_id, first_voice_id FROM nlp.copies")
    return {row["voice_id"]: row["first_voice_id"] for row in rows}


def test_the_handover_tables_are_what_this_room_writes() -> None:
    stored, (sentiment, _) = NLP_TABLES["copies"][0], NLP_TABLES["sentiment"]
    assert list(stored)[:-1] == list(COPY_SCHEMA)
    assert stored.names[-1] == "found_at"
    assert {(field.name, field.type) for field in sentiment} == {(f.name, f.type) for f in SENTIMENT_SCHEMA}


def test_a_copy_that_comes_later_joins_its_group_whose_first_stays(store: Settings) -> None:
    deliver(store, ("a", FIRST, 0), ("b", OTHER, 0.1), ("c", f"转发!{PETITION}!!", 0.2), ("short", "太差了", 0.3),
            ("short too", "太差了", 0.4))  # fmt: skip
    once = {"a": "a", "b": "b", "c": "a", "short": "short", "short too": "short too"}
    assert groups(store) == once
    assert fold(store) == []
    # Delivered late: one written a day later, one that was written before the group's first.
    deliver(store, ("d", PETITION, 1), ("early", PETITION, -1))
    assert groups(store) == once | {"d": "a", "early": "a"}
    # A week after the first another group begins, and what is in between goes to the nearer past.
    deliver(store, ("new", PETITION, 7.5), ("newer", PETITION, 8))
    assert groups(store) == once | {"d": "a", "early": "a", "new": "new", "newer": "new"}


def test_a_text_that_changes_leaves_its_group_and_a_changed_first_frees_the_others(store: Settings) -> None:
    deliver(store, ("a", FIRST, 0), ("b", PETITION, 0.1), ("c", PETITION, 0.2), ("d", OTHER, 0.3))
    assert groups(store) == {"a": "a", "b": "a", "c": "a", "d": "d"}
    deliver(store, ("c", f"{OTHER}!", 0.2))
    assert groups(store) == {"a": "a", "b": "a", "c": "d", "d": "d"}
    deliver(store, ("a", "请问你们周末营业吗,想带老人去看看空调", 0))
    assert groups(store) == {"a": "a", "b": "b", "c": "d", "d": "d"}


def test_a_forgotten_first_leaves_the_group_to_the_others_and_new_copies_still_join(store: Settings) -> None:
    deliver(store, ("a", FIRST, 0), ("b", PETITION, 0.1), ("c", PETITION, 0.2))
    with open_warehouse(store) as warehouse:
        warehouse.execute("DELETE FROM intermediate.int_voices WHERE voice_id = 'a'")
    assert forget_voices(store, ["a"]) == 1
    assert fold(store) == []
    deliver(store, ("d", f"{PETITION}!", 2))
    assert groups(store) == {"b": "a", "c": "a", "d": "a"}


def test_many_texts_are_taken_in_steps_and_give_the_same_groups_as_day_by_day(store: Settings) -> None:
    chance = random.Random(5)
    letters = [chr(0x4E00 + number) for number in range(500)]
    pasted = ["".join(chance.choices(letters, k=60)) for _ in range(12)]

    def text() -> str:
        """One of a few texts with a word changed, or one of its own."""
        if chance.random() < 0.4:
            return "".join(chance.choices(letters, k=40))
        said, at = chance.choice(pasted), chance.randrange(60)
        return said[:at] + chance.choice(letters) + said[at + 1 :]

    voices = [(f"v{number:04d}", text(), number / 40) for number in range(900)]
    with open_warehouse(store) as warehouse:
        table = pa.table(
            {
                "voice_id": [voice for voice, _, _ in voices],
                "text": [said for _, said, _ in voices],
                "occurred_at": pa.array([MONDAY + timedelta(days=day) for _, _, day in voices], pa.timestamp("us")),
            }
        )
        warehouse.append("intermediate", "int_voices", table)
    assert fold(store) == [400, 400, 100]
    at_once = groups(store)
    own = sum(list(at_once.values()).count(group) == 1 for group in set(at_once.values()))
    assert 300 < own < 420
    # Twelve texts, a new group of each every week.
    assert 12 * 3 <= len(set(at_once.values())) - own <= 12 * 4
    with open_warehouse(store) as warehouse:
        warehouse.execute("DELETE FROM nlp.copies")
        warehouse.execute("DELETE FROM intermediate.int_voices")
    for start in range(0, 900, 150):
        deliver(store, *voices[start : start + 150])
    assert groups(store) == at_once
