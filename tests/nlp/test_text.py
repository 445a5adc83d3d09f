from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyin.config import Settings
from nlp.clauses import clauses, sentences
from nlp.segment import ServiceSegmenter, UserWordsError, read_words, segmenter
from nlp.text import normalise, text_hash, topic_text

ANY_TEXT = st.text(alphabet=st.characters(codec=None), max_size=60)
# What random Unicode hardly ever hits: characters whose treatments meet.
MEETING_TEXT = st.text(alphabet="乾幹干後后髮发！!。…~😡😀\u200d\ufe0f🏽a哈[]：:手機号 \n\u3000＠@/①㎏ﬁＡ", max_size=40)


@given(st.one_of(ANY_TEXT, MEETING_TEXT))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    once = topic_text(text)
    assert topic_text(once) == once


@given(ANY_TEXT)
def test_normalised_text_can_be_encoded_and_is_one_clean_line(text: str) -> None:
    line = normalise(text)
    assert line.encode("utf-8").decode("utf-8") == line
    assert line == " ".join(line.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("師傅遲遲不來，電話打不通", "师傅迟迟不来,电话打不通"),
        ("太差了！！！！！！", "太差了!"),
        ("哈哈哈哈哈", "哈哈"),
        ("订单 １２３４４４４５６", "订单 123444456"),
        ("好\u200b的\u0000呀", "好的 呀"),
        ("👍🏽👍🏽👍", "👍"),
        ("打 [手机号1] 找我", "打 [手机号1] 找我"),
        ("<p>打不开&nbsp;&amp;lt;b&amp;gt;</p>", "打不开"),
        ("温度<5度", "温度<5度"),
        ("www.example.org", "www.example.org"),
        ("", ""),
    ],
)
def test_variants_of_one_wording_become_one(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_what_masking_and_social_media_leave_behind_is_no_subject() -> None:
    text = "@客服小助手 [姓名1]的冰箱漏水[怒]😡 https://example.org/a?b=1 请联系[手机号12]"
    assert topic_text(text) == "的冰箱漏水 请联系"


def test_a_customers_own_words_in_brackets_are_a_subject() -> None:
    assert topic_text("[退款]一直没到[流泪]") == "[退款]一直没到"
    assert normalise("等了三天[流泪]") == "等了三天[流泪]"


def test_every_placeholder_of_masking_is_known() -> None:
    from ingest.personal import KINDS

    assert topic_text("".join(f"[{kind}]漏[{kind}7]" for kind in KINDS)).replace(" ", "") == "漏" * len(KINDS)


def test_place_codes_greetings_and_polite_words_are_no_subject_words() -> None:
    words = segmenter().words(topic_text("尊敬的领导您好，A市A3区网友反映：垃圾站臭味扰民，谢谢！"))
    assert words == ["垃圾站", "臭味", "扰民"]


def test_words_of_the_trade_are_not_cut_apart() -> None:
    words = segmenter().words("上门安装乱收高空费，App闪退，验证码收不到")
    assert {"上门安装", "高空费", "app", "闪退", "验证码", "收不到"} <= set(words)


def test_every_word_of_the_lexicon_is_one_word_by_itself() -> None:
    cutter = segmenter()
    assert [word for word in read_words("service.txt") if [w.text for w in cutter.tagged(word)] != [word]] == []


def test_a_companys_words_stay_whole_whatever_signs_are_in_them_and_count_as_service_words(tmp_path: Path) -> None:
    (tmp_path / "user_words.txt").write_text(
        "# 产品\n云净 Pro Max\nWi-Fi 6\nKFR-35GW/BP3\n小慧管家 12 nz\n慧享卡 3\n超能 胶囊 100 n\n", "utf-8"
    )
    (tmp_path / "user_stopwords.txt").write_text("慧家\n", "utf-8")
    cutter = segmenter(Settings(var=tmp_path, rules=tmp_path, mask_key="k"))
    text = normalise("慧家的云净 PRO  MAX连不上Ｗi-Fi 6,KFR-35GW/BP3 空调、小慧管家和慧享卡也不行,超能 胶囊漏了")
    words = cutter.words(text)
    assert [w for w in words if w in cutter.service_words] == [
        "云净 pro max", "连不上", "wi-fi 6", "kfr-35gw/bp3", "空调", "小慧管家", "慧享卡", "超能 胶囊",
    ]  # fmt: skip
    assert "慧家" not in words
    assert "".join(word.text for word in cutter.tagged(text)) == text.lower()
    assert "wi-fi 6" not in cutter.words("wi-fi 61坏了")
    assert cutter.version != segmenter().version


@given(st.one_of(ANY_TEXT, MEETING_TEXT))
def test_segmenting_loses_no_character(text: str) -> None:
    clean = normalise(text).lower()
    assert "".join(word.text for word in ServiceWithNames.tagged(clean)) == clean


ServiceWithNames = ServiceSegmenter(["乾 幹", "a/a", "哈 1"])


def test_a_word_list_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "user_words.txt").write_bytes("慧家".encode("gb18030"))
    with pytest.raises(UserWordsError, match="save it as UTF-8"):
        segmenter(Settings(var=tmp_path, rules=tmp_path, mask_key="k"))


def test_sentences_end_at_marks_but_not_inside_numbers_and_addresses() -> None:
    text = normalise("花了3.5元买的！坏了……客服说“等着”。看 www.example.org/a 吧\n到底谁管？")
    assert sentences(text) == ["花了3.5元买的!", "坏了.", "客服说“等着”。", "看 www.example.org/a 吧 到底谁管?"]


def test_clauses_are_cut_at_marks_and_turns_and_know_questions() -> None:
    found = list(clauses(normalise("态度挺好但是问题没解决，3.5折哪里便宜？算了……")))
    assert [(clause.text, clause.sentence, clause.asks) for clause in found] == [
        ("态度挺好", 0, False),
        ("但是问题没解决", 0, False),
        ("3.5折哪里便宜", 0, True),
        ("算了", 1, False),
    ]


@given(st.one_of(ANY_TEXT, MEETING_TEXT))
def test_sentences_and_clauses_keep_every_word(text: str) -> None:
    clean = normalise(text)
    assert "".join(sentences(clean)).replace(" ", "") == clean.replace(" ", "")
    for clause in clauses(clean):
        assert clean[clause.start : clause.start + len(clause.text)] == clause.text
    said = "".join(clause.text for clause in clauses(clean))
    assert [c for c in said if c.isalnum()] == [c for c in clean if c.isalnum()]


def test_the_hash_of_a_text_is_the_md5_that_sql_computes() -> None:
    assert text_hash("退款") == hashlib.md5("退款".encode()).hexdigest()
