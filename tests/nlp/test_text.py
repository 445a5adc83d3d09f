from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.segment import segmenter
from nlp.text import normalise, text_hash, topic_text

ANY_TEXT = st.text(alphabet=st.characters(codec=None), max_size=60)
# What random Unicode hardly ever hits: characters whose treatments meet.
MEETING_TEXT = st.text(alphabet="乾幹干後后髮发！!。…~😡😀\u200d\ufe0f🏽a哈[]：:手機号 \n\u3000＠@/①㎏ﬁＡ", max_size=40)


@given(st.one_of(ANY_TEXT, MEETING_TEXT))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    once = topic_text(text)
    assert once == topic_text(text)


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


def test_the_hash_of_a_text_is_the_md5_that_sql_computes() -> None:
    assert text_hash("退款") == hashlib.md5("退款".encode()).hexdigest()
