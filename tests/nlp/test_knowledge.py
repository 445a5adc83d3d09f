"""Gaps in knowledge are found from what agents explain by hand, on a desk whose questions are known."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from knowledge_texts import ANSWERS, WRONG, tickets
from typer.testing import CliRunner

from huiyin.cli import app
from huiyin.config import Settings
from ingest.personal import mask_text
from nlp.knowledge import (
    Article,
    Case,
    KnowledgeDataError,
    find_gaps,
    group_questions,
    how_to,
    read_articles,
    read_cases,
)
from nlp.knowledge.clustering import Embed
from nlp.knowledge.identity import permanent_ids
from nlp.scoring import text_embedder


@pytest.fixture(scope="module")
def embed(session_settings: Settings) -> Embed:
    """Sentence vectors."""
    found = text_embedder(session_settings, kept=False)
    assert found is not None
    return found


def test_questions_for_knowledge_are_told_from_calls_for_action() -> None:
    lines = (Path(__file__).parent / "questions.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    counts = Counter((asks, bool(how_to(text))) for asks, text in rows)
    assert counts["yes", True] >= 0.95 * (counts["yes", True] + counts["yes", False])
    assert counts["no", False] >= 0.95 * (counts["no", True] + counts["no", False])


def test_the_sentence_that_asks_is_taken_out_of_a_longer_text() -> None:
    assert how_to("你们的空调不错。请问WiFi怎么连?我试了很久。") == "请问WiFi怎么连?"
    assert how_to("等了三天,怎么还没人来?") == ""


def test_gaps_have_their_questions_the_answer_that_held_and_their_share_of_time(embed: Embed) -> None:
    rows, messages, subject_of = tickets()
    cases = read_cases(pd.DataFrame(rows), answers=pd.DataFrame(messages))
    found = find_gaps(cases, embed, mask_text)
    assert found.share_of == "seconds"
    assert len(found.gaps) == 4
    subjects = []
    for number, gap in enumerate(found.gaps):
        members = [case.key for case, own in zip(cases, found.gap_of_case.tolist(), strict=True) if own == number]
        assert len({subject_of.get(key) for key in members}) == 1
        subject = subject_of[members[0]]
        subjects.append(subject)
        assert len(members) == gap.cases >= 15
        assert gap.answer in ANSWERS[subject]
        assert gap.held == gap.support <= gap.cases
        assert WRONG not in gap.draft and "很高兴为您服务" not in gap.draft and "祝您" not in gap.draft
        assert gap.state == "缺少条目" and gap.question in gap.draft
    # Twelve minutes instead of four: by hand, of 18×12 + 3×18×4 + 18×4 minutes.
    assert subjects[0] == "滤芯"
    assert found.gaps[0].agent_share == pytest.approx(found.gaps[0].cases * 12 / (18 * 12 + 4 * 18 * 4))


def test_an_article_that_answers_a_question_is_named_and_others_are_not(embed: Embed) -> None:
    rows, messages, _ = tickets()
    base = [
        {"标题": "如何找回或重置登录密码", "正文": "…", "链接": "kb/1"},
        {"标题": "企业采购合作流程", "正文": "…", "链接": "kb/2"},
    ]
    cases = read_cases(pd.DataFrame(rows), answers=pd.DataFrame(messages))
    found = find_gaps(cases, embed, mask_text, base=read_articles(pd.DataFrame(base)))
    named = [(gap.article.url, gap.question) for gap in found.gaps if gap.article]
    assert len(named) == 1 and named[0][0] == "kb/1" and "密码" in named[0][1]
    assert sorted(gap.state for gap in found.gaps) == ["已有条目,仍反复人工解答", *["缺少条目"] * 3]


def test_an_article_that_asks_alike_about_something_else_is_no_answer(embed: Embed) -> None:
    base = [Article("满减怎么算", "", ""), Article("怎么换货、退货", "", ""), Article("保修多久", "", "")]
    found = {}
    for question in ("积分怎么算", "怎么换收货地址", "整机保修几年"):
        cases = [Case(str(n), question, (), None, True) for n in range(5)]
        found[question] = find_gaps(cases, embed, mask_text, base=base).gaps[0]
    # Its vector is as near as that of the right one.
    assert found["积分怎么算"].likeness > found["整机保修几年"].likeness
    assert [gap.article.title if gap.article else None for gap in found.values()] == [None, None, "保修多久"]


def test_a_gap_keeps_its_number_when_it_splits_merges_or_grows() -> None:
    known = {"a": 1, "b": 1, "c": 1, "d": 2, "e": 2, "f": 3}
    asked = set("abcdefgh")
    # 1 lost a part that is a gap of its own; 2 and 3 became one; g and h are new.
    assert permanent_ids([{"a", "b"}, {"c", "g"}, {"d", "e", "f"}, {"h"}], known, asked, 7) == [1, 8, 2, 9]
    # Of what left the window nothing is expected: one ticket of five still tells the gap.
    assert permanent_ids([{"a", "x", "y"}], dict.fromkeys("abcde", 4), {"a", "x", "y"}, 7) == [4]
    # One stray ticket of ten doesn't make another question the old gap.
    assert permanent_ids([{"a", "x", "y"}], dict.fromkeys("abcdefghij", 4) | {"x": 5, "y": 5},
                         set("abcdefghijxy"), 7) == [5]  # fmt: skip


def test_agents_are_not_named_in_answers(embed: Embed) -> None:
    answer = "长按电源键五秒,听到滴声后松开,机器就恢复出厂设置了。"
    said = ["您好,我是客服小王,工号1024为您服务。", answer, "小李会给您回电,24小时会有短信。"]
    rows = [{"ticket_id": str(n), "text": "怎么恢复出厂设置", "answer": "".join(said)} for n in range(6)]
    gap = find_gaps(read_cases(pd.DataFrame(rows)), embed, mask_text).gaps[0]
    assert gap.answer == answer


def test_personal_data_stays_out_of_drafts(embed: Embed) -> None:
    answer = "在App里点申请开票,填写抬头后提交,电子发票会发到邮箱。"
    rows = [
        {
            "ticket_id": str(number),
            "text": f"怎么开电子发票,我电话13800138{number:03}",
            "answer": f"张建国先生您好。{answer}您的发票已发到13900139{number:03}。",
        }
        for number in range(6)
    ]
    gap = find_gaps(read_cases(pd.DataFrame(rows)), embed, mask_text).gaps[0]
    assert "1380013" not in gap.draft and "1390013" not in gap.draft and "张建国" not in gap.draft
    assert answer in gap.draft


def test_the_order_of_questions_changes_no_group(embed: Embed) -> None:
    rows, _, _ = tickets(1)
    texts = [row["text"] for row in rows]
    groups = group_questions(texts, embed, smallest=3)
    assert groups.tolist() == group_questions(texts[::-1], embed, smallest=3).tolist()[::-1]


def test_tables_without_what_is_needed_are_refused_by_name() -> None:
    with pytest.raises(KnowledgeDataError, match="no column text"):
        read_cases(pd.DataFrame({"内容": ["怎么开发票"]}))
    with pytest.raises(KnowledgeDataError, match="ticket's number in both files"):
        read_cases(pd.DataFrame({"text": ["x"]}), answers=pd.DataFrame({"ticket_id": ["1"], "text": ["y"]}))
    with pytest.raises(KnowledgeDataError, match="no column title"):
        read_articles(pd.DataFrame({"x": ["y"]}))


def test_several_messages_of_a_ticket_are_one_case() -> None:
    frame = pd.DataFrame(
        {
            "ticket_id": ["1", "1", "2"],
            "text": ["在吗", "怎么开发票", "滤芯怎么换"],
            "answer": ["", "在App里开。", ""],
            "reopen_count": ["0", "0", "2"],
            "agent_minutes": ["3", "3", ""],
        }
    )
    first, second = read_cases(frame)
    assert (first.text, first.answers, first.seconds, first.held) == ("在吗\n怎么开发票", ("在App里开。",), 180.0, True)
    assert (second.answers, second.seconds, second.held) == ((), None, False)


def test_the_command_writes_gaps_of_csv_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUIYIN_VAR", str(tmp_path / "var"))
    rows, messages, _ = tickets(2)
    for name, table in (
        ("in", rows),
        ("answers", messages),
        ("base", [{"title": "净水器滤芯更换方法", "body": "…", "url": "kb/9"}]),
    ):
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
    command = ["knowledge", "gaps", str(tmp_path / "in.csv"), "--out", str(tmp_path / "gaps.csv")]
    options = ["--answers", str(tmp_path / "answers.csv"), "--base", str(tmp_path / "base.csv")]
    result = CliRunner().invoke(app, [*command, *options])
    assert result.exit_code == 0, result.output
    assert "4 gaps" in result.output
    written = pd.read_csv(tmp_path / "gaps.csv", dtype=str, keep_default_na=False)
    assert written["article_url"].tolist().count("kb/9") == 1
    assert written["draft"].str.startswith("问:").all()
