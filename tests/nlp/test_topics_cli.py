"""The commands of topics on a CSV file, and decisions of people through a refit."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from topic_texts import SUBJECTS, company
from typer.testing import CliRunner

from huiyin.cli import app
from huiyin.config import Settings
from nlp.topics import people
from nlp.topics.csv_files import TopicFileError, assign_csv, fit_csv
from nlp.topics.learning import learn
from nlp.topics.store import TopicStore


def write_csv(texts: dict[str, str], file: Path, column: str = "text") -> Path:
    """Texts with the subject beside them."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["subject", column])
        writer.writerows([voice.split(":")[0], text] for voice, text in texts.items())
    return file


def rows(file: Path) -> list[dict[str, str]]:
    """A CSV file's rows."""
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_a_file_gets_topics_and_a_later_file_the_same_ones(
    tmp_path: Path, session_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUIYIN_VAR", str(session_settings.var_dir))
    monkeypatch.setenv("HUIYIN_MASK_KEY", "test-key")
    first = write_csv(company(80, 11, SUBJECTS), tmp_path / "first.csv", "内容")
    later = write_csv(company(40, 12, SUBJECTS) | {"x:1": ""}, tmp_path / "later.csv", "内容")
    folder = str(tmp_path / "model")
    for command, file in (("fit", first), ("assign", later)):
        out = tmp_path / f"{command}.csv"
        result = CliRunner().invoke(
            app, ["topics", command, str(file), "--out", str(out), "--column", "内容", "--model", folder]
        )
        assert result.exit_code == 0, result.output
    fitted, assigned = rows(tmp_path / "fit.csv"), rows(tmp_path / "assign.csv")
    assert len(fitted) == 400
    assert len(assigned) == 201
    assert assigned[-1]["topic_id"] == "-1"
    names = {row["topic_id"]: row["topic_label"] for row in fitted}
    assert all(names[row["topic_id"]] == row["topic_label"] for row in assigned[:-1])
    # Nearly all texts of a group are of one subject, in both files.
    for table in (fitted, assigned[:-1]):
        main = {
            topic: max(SUBJECTS, key=lambda s: sum(r["subject"] == s for r in table if r["topic_id"] == topic))
            for topic in names
        }
        assert sum(main[row["topic_id"]] == row["subject"] for row in table) >= 0.9 * len(table)


@pytest.mark.slow
def test_names_merges_and_splits_of_people_survive_the_monthly_refit(
    tmp_path: Path, session_settings: Settings
) -> None:
    store = TopicStore(session_settings, tmp_path / "topics")
    sample = store.sample(company(80, 21, SUBJECTS).values())
    learn(store, sample)
    first, second, third = sorted(store.registry().active())[:3]
    people.merge(store, first, second, by="李经理")
    people.rename(store, first, "人工合并的主题", by="李经理")
    new = people.split(store, third, sample, by="李经理")
    later = store.sample([*company(80, 21, SUBJECTS).values(), *company(60, 22, SUBJECTS).values()])
    learn(store, later, move=True)
    registry = store.registry()
    assert registry.topic(first).shown == "人工合并的主题"
    assert second not in registry.active()
    assert {third, new.topic_id} <= set(registry.active())
    assert [(line.event, line.by) for line in registry.lineage if line.by] == [
        ("merge", "李经理"),
        ("rename", "李经理"),
        ("split", "李经理"),
    ]
    model = store.model(registry.version)
    assert (model.topic_ids == first).sum() == 2
    assert second not in model.topic_ids


def test_a_file_without_the_column_or_with_few_texts_is_refused_by_name(settings: Settings, tmp_path: Path) -> None:
    store = TopicStore(settings, tmp_path / "topics")
    file = write_csv(company(3, 1, SUBJECTS), tmp_path / "few.csv")
    with pytest.raises(TopicFileError, match=r"few\.csv has no column 内容; it has: subject, text"):
        fit_csv(store, file, "内容", onwards=False)
    with pytest.raises(TopicFileError, match=r"few\.csv has 15 different texts, 200 are needed"):
        fit_csv(store, file, "text", onwards=False)
    with pytest.raises(TopicFileError, match="run `huiyin topics fit` first"):
        assign_csv(store, file, tmp_path / "out.csv", "text", level="group")
