from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from huiyin.cli import app
from huiyin.config import Settings
from nlp.aspects import (
    AspectExtractor,
    EmotionDetector,
    TaxonomyError,
    read_taxonomy,
    shipped_taxonomy,
    taxonomy_of,
)
from nlp.aspects.words import WordFinder
from nlp.text import normalise

EXTRACTOR = AspectExtractor(shipped_taxonomy())
DETECTOR = EmotionDetector(shipped_taxonomy())
SIGN = {"positive": "+", "negative": "-", "neutral": "0"}
WORDS = [
    *"不没的了很太好差快慢,。?! 就",
    "客服",
    "态度",
    "退款",
    "难道",
    "呵呵",
    "等了三天",
    "谢谢",
    "12315",
    "漏电",
    "麻烦",
]
SERVICE_TEXT = st.lists(st.sampled_from(WORDS), max_size=25).map("".join)


def aspects(text: str, extractor: AspectExtractor = EXTRACTOR) -> set[str]:
    return {opinion.aspect + SIGN[opinion.polarity] for opinion in extractor.predict([text])[0]}


def feelings(text: str) -> dict[str, float]:
    return {feeling.feeling: feeling.strength for feeling in DETECTOR.predict([text])[0]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("客服态度挺好就是解决不了问题", "attitude+ resolution-"),
        ("等了一个星期终于给退款了", "refund-"),
        ("快递太慢", "logistics-"),
        ("回复太慢", "speed-"),
        ("师傅没有乱收费", "price+"),
        ("一点质量问题都没有", "quality+"),
        ("不是质量问题,是我没插电", ""),
        ("质量不能说不好", "quality+"),
        ("谁敢说你们服务不好", "attitude+"),
        ("这也叫售后服务?", "attitude-"),
        ("难道这就叫质量好", "quality-"),
        ("难道坏了就不管", "quality- attitude-"),
        ("希望问题圆满解决", "resolution0"),
        ("什么时候能修好", "repair0"),
        ("安装和维修都很好", "installation+ repair+"),
        ("退货難,客服態度惡劣", "refund- attitude-"),
        ("机器是去年六月买的", ""),
        ("", ""),
    ],
)
def test_each_clause_is_judged_by_itself_with_negation_turns_and_rhetoric(text: str, expected: str) -> None:
    assert aspects(text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("气死我了", {"anger"}),
        ("不生气了", set()),
        ("谢谢你们的帮助", {"thanks"}),
        ("麻烦帮我查一下订单,谢谢", set()),
        ("谢谢啊,让我白跑三趟", {"anger"}),
        ("插座漏电,吓死我了,再不处理就打12315", {"safety", "anxiety", "regulator"}),
        ("以后不会再买了,已经找律师,发微博曝光", {"leave", "disappointment", "legal", "media"}),
        ("请问怎么办理退货", set()),
    ],
)
def test_feelings_and_threats_are_told_from_politeness_and_denial(text: str, expected: set[str]) -> None:
    assert set(feelings(text)) == expected


def test_stress_and_more_words_make_a_feeling_stronger() -> None:
    assert feelings("担心")["anxiety"] < feelings("非常担心")["anxiety"] < feelings("非常担心,吓死我了")["anxiety"] <= 1


@settings(max_examples=150)
@given(st.one_of(st.text(max_size=60), SERVICE_TEXT))
def test_any_text_gives_words_that_stand_in_it_and_the_same_result_alone_or_among_others(text: str) -> None:
    alone = EXTRACTOR.predict([text])[0], DETECTOR.predict([text])[0]
    assert (EXTRACTOR.predict(["退款慢", text])[1], DETECTOR.predict(["气死", text])[1]) == alone
    line = normalise(text).lower()
    codes = {aspect.code for aspect in shipped_taxonomy().aspects}
    for opinion in alone[0]:
        assert opinion.aspect in codes
        assert opinion.words
        assert all(word in line for word in opinion.words)
    for feeling in alone[1]:
        assert 0 < feeling.strength <= 1
        assert all(word in line for word in feeling.words)


class Engine:
    version = "test-1"

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        return np.array([0.02 if "爆米花" in text else 0.5 for text in texts])


def test_an_engine_judges_only_clauses_that_the_lists_leave_open() -> None:
    extractor = AspectExtractor(shipped_taxonomy(), Engine())
    assert aspects("发票像爆米花") == {"invoice0"}
    assert aspects("发票像爆米花", extractor) == {"invoice-"}
    assert aspects("发票在包里", extractor) == {"invoice0"}
    assert aspects("开票很快像爆米花", extractor) == {"invoice+"}
    assert extractor.version != EXTRACTOR.version


def test_a_company_edits_the_lists_in_its_folder_of_rules(tmp_path: Path) -> None:
    (tmp_path / "aspects.csv").write_text(
        "aspect,name_zh,terms,holders,good_of_it,bad_of_it,praise,blame,yields_to\n"
        "parking,停车,停车场；车位,,多,少；窄,随便停,没处停,\n",
        "utf-8-sig",
    )
    own = taxonomy_of(Settings(rules=tmp_path))
    extractor = AspectExtractor(own)
    assert aspects("停车场车位太少", extractor) == {"parking-"}
    assert aspects("客服态度差", extractor) == set()
    assert extractor.version != EXTRACTOR.version
    assert own.feelings == shipped_taxonomy().feelings


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("aspects.csv", "aspect,name_zh\n", "lacks the column terms"),
        (
            "aspects.csv",
            "aspect,name_zh,terms,holders,good_of_it,bad_of_it,praise,blame,yields_to\na,甲,词,,,,,,b\n",
            "line 2: yields_to names no aspect of the file: b",
        ),
        (
            "aspects.csv",
            "aspect,name_zh,terms,holders,good_of_it,bad_of_it,praise,blame,yields_to\na,甲,…,,,,,,\n",
            "…",
        ),
        ("judging_words.csv", "role,words\nbetter,好\n", "role 'better'"),
        (
            "feelings.csv",
            "feeling,kind,name_zh,strength,words,unless\na,emotion,甲,9,词,\n",
            "strength must be 1, 2 or 3",
        ),
    ],
)
def test_a_broken_list_is_refused_with_file_and_line(tmp_path: Path, file: str, content: str, told: str) -> None:
    (tmp_path / file).write_text(content, "utf-8")
    with pytest.raises(TaxonomyError, match=told) as error:
        read_taxonomy(tmp_path)
    assert file in str(error.value)


@given(SERVICE_TEXT)
def test_the_longest_phrase_that_begins_first_wins(text: str) -> None:
    phrases = ["不", "不好", "好", "好差", "太慢了", "了", "退款", "退款快"]
    expected, place = [], 0
    while place < len(text):
        here = max((phrase for phrase in phrases if text.startswith(phrase, place)), key=len, default="")
        if here:
            expected.append((place, here))
        place += len(here) or 1
    finder = WordFinder((phrase, phrase) for phrase in phrases)
    assert [(hit.start, hit.text) for hit in finder.find(text)] == expected


@pytest.mark.parametrize("text", ["等了三天", "等了2个多月", "等了半个小时", "等了好几个星期"])
def test_lengths_of_time_are_found_however_written(text: str) -> None:
    assert [hit.text for hit in WordFinder([("等了<多久>", 1)]).find(text)] == [text]


def test_the_command_adds_columns_to_any_csv(tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("id,text\n1,客服态度挺好就是解决不了问题\n2,插座漏电太吓人\n3,\n", "utf-8")
    result = CliRunner().invoke(app, ["nlp", "aspects", str(source), "--out", str(out)])
    assert result.exit_code == 0, result.output
    with out.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert (rows[0]["aspects"], rows[0]["reasons"]) == (
        "attitude+;resolution-",
        "服务态度+（挺好）；问题解决-（解决不了）",
    )
    assert (rows[1]["emotions"], rows[1]["urgency"]) == ("anxiety", "safety")
    assert rows[1]["reasons"] == "使用安全-（漏电）；焦虑（吓人）；人身安全（漏电）"
    assert rows[1]["strengths"] == "anxiety:0.9;safety:0.8"
    assert rows[2]["aspects"] == rows[2]["emotions"] == rows[2]["reasons"] == ""


def test_both_hand_written_sets_hold_known_codes_and_no_sentence_twice() -> None:
    known = {aspect.code for aspect in shipped_taxonomy().aspects}
    urgent = {words.feeling: words.kind == "urgency" for words in shipped_taxonomy().feelings}
    spoken = {f"urgency:{name}" if is_urgent else name for name, is_urgent in urgent.items()}
    seen: list[str] = []
    for name in ("development", "heldout"):
        lines = (Path(__file__).parent / f"aspects_{name}.tsv").read_text("utf-8").splitlines()
        rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
        seen += [row[0] for row in rows]
        assert {code[:-1] for row in rows for code in row[1].split()} <= known
        assert {code for row in rows for code in row[2].split()} <= spoken
    assert len(seen) == len(set(seen)) >= 300
