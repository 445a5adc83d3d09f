"""The demo company at a tenth of its size, read back with pandas only: no code of the pipeline or the generator."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from huiyin.demo import GenerationSummary, generate


def decoded(file: Path) -> str:
    """The text of a file that is UTF-8, with or without mark, or GB18030."""
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030")


class Company:
    """What a reader finds in the folder."""

    def __init__(self, folder: Path, summary: GenerationSummary) -> None:
        self.folder = folder
        self.summary = summary

    def _csv(self, name: str, key: str) -> pd.DataFrame:
        frames = []
        for file in sorted(self.folder.glob(f"tickets/*/{name}.csv")):
            header, *rows = csv.reader(io.StringIO(decoded(file)))
            frames.append(pd.DataFrame([row for row in rows if len(row) == len(header) and row[0]], columns=header))
        return pd.concat(frames).drop_duplicates(key, keep="last").set_index(key)

    @cached_property
    def truth(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "ground_truth/tickets.parquet").set_index("ticket_id")

    @cached_property
    def people(self) -> pd.DataFrame:
        """Which identifier is whose: kind, value, person."""
        return pd.read_parquet(self.folder / "ground_truth/identities.parquet")

    @cached_property
    def tickets(self) -> pd.DataFrame:
        tickets = self._csv("tickets", "工单编号").join(self.truth, how="inner")
        tickets["at"] = pd.to_datetime(tickets["创建时间"])
        tickets["day"] = tickets["at"].dt.normalize()
        return tickets

    @cached_property
    def requests(self) -> pd.DataFrame:
        return self.tickets[self.tickets["kind"] == "request"]

    @cached_property
    def events(self) -> pd.DataFrame:
        events = self._csv("events", "流水号")
        events = events[events["工单编号"].isin(self.truth.index)].copy()
        events["at"] = pd.to_datetime(events["发生时间"], errors="coerce")
        return events[events["at"].notna() & (events["变更项"] != "心情指数")]

    @cached_property
    def messages(self) -> pd.DataFrame:
        return self._csv("messages", "消息编号")

    @cached_property
    def voices(self) -> pd.DataFrame:
        def lines() -> Iterator[dict[str, Any]]:
            for file in sorted(self.folder.glob("social/*.jsonl")):
                for line in file.read_text(encoding="utf-8").splitlines():
                    try:
                        yield json.loads(line)
                    except json.JSONDecodeError:
                        continue

        voices = pd.DataFrame(lines()).dropna(subset="id").drop_duplicates("id").set_index("id")
        voices["at"] = pd.to_datetime(voices["publish_time"]).dt.tz_localize(None)
        return voices

    @cached_property
    def answers(self) -> pd.DataFrame:
        return pd.concat(pd.read_parquet(file) for file in sorted(self.folder.glob("surveys/*.parquet")))

    def truth_of(self, name: str) -> Any:
        return json.loads((self.folder / f"ground_truth/{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    folder = tmp_path_factory.mktemp("company")
    return Company(folder, generate(folder, 0.1))
