"""Copies of a text are one voice with a count; what recurs in many different texts is nobody's."""

from __future__ import annotations

import csv
import random
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from huiyin.cli import app
from huiyin.config import Settings
from nlp.duplicates import Boilerplate, find_duplicates, learn_boilerplate
from nlp.duplicates.boilerplate import BoilerplateError
from nlp.embed import prepare, sentence_embedder
from nlp.forget import forget_texts
from nlp.topics.store import TopicStore

PASTED = "大家千万不要买这个牌子的扫地机器人,用了三天就充不进电,客服互相推诿,退货还要扣钱,太坑人了"
OTHERS = [
    "空调装好当天就漏水,师傅来过两次都没有修好,第三次直接不来了",
    "订单显示已签收可是我根本没有收到包裹,快递员电话也打不通",
    "充值以后会员没有到账,自动续费倒是扣得挺快,麻烦查一下",
    "师傅很专业,讲解细致,收费透明,下次还找他们家",
]


def by_hand(one: str, other: str) -> float:
    """Jaccard similarity of runs of three letters, written down anew."""
    sets = []
    for text in (one, other):
        letters = [character for character in text if character.isalnum()]
        sets.append({tuple(letters[place : place + 3]) for place in range(len(letters) - 2)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_a_text_pasted_by_many_with_small_changes_is_one_voice() -> None:
    chance = random.Random(3)
    copies = []
    for _ in range(40):
        letters = list(PASTED)
        for _ in range(2):
            letters[chance.randrange(len(letters))] = chance.choice(["", "啊", "真"])
        copies.append(chance.choice(["", "转发:", "👍"]) + "".join(letters) + chance.choice(["", "!!!", "~"]))
    texts = [*OTHERS, PASTED, *copies]
    found = find_duplicates(texts)
    assert found.first[: len(OTHERS)] == list(range(len(OTHERS)))
    assert set(found.first[len(OTHERS) :]) == {len(OTHERS)}
    assert found.group_sizes[-1] == 41 and found.group_sizes[0] == 1


def test_grouped_texts_are_alike_and_alike_texts_are_grouped() -> None:
    chance = random.Random(5)
    words = [chr(point) for point in chance.sample(range(0x4E00, 0x9000), 400)]
    texts = []
    for _ in range(60):
        text = "".join(chance.choices(words, k=30))
        texts.append(text)
        for _ in range(chance.randrange(4)):
            place = chance.randrange(25)
            texts.append(text[:place] + chance.choice(words) + text[place + chance.randrange(3) :])
    first = find_duplicates(texts).first
    alike = {pair for pair in combinations(range(len(texts)), 2) if by_hand(texts[pair[0]], texts[pair[1]]) >= 0.6}
    grouped = {pair for pair in combinations(range(len(texts)), 2) if first[pair[0]] == first[pair[1]]}
    assert len(alike) > 50
    assert len(alike - grouped) <= 0.02 * len(alike)
    assert all(by_hand(texts[one], texts[other]) >= 0.3 for one, other in grouped)


def test_short_everyday_texts_are_many_voices() -> None:
    assert find_duplicates(["好评", "好评", "质量不错", "质量不错"]).first == [0, 1, 2, 3]


def test_masked_values_do_not_tell_copies_apart() -> None:
    texts = [f"我的订单[单号{number}]到现在都没有发货,打[电话{number}]也没人接" for number in (1, 7)]
    assert find_duplicates(texts).first == [0, 0]


@given(st.lists(st.text(alphabet=st.characters(codec=None), max_size=40), max_size=8))
def test_a_group_begins_with_its_first_text_whatever_the_texts(texts: list[str]) -> None:
    found = find_duplicates([*texts, *texts])
    assert all(first <= place and found.first[first] == first for place, first in enumerate(found.first))


def mails() -> tuple[list[str], list[str], list[str]]:
    """Texts, sources and what people wrote themselves in them."""
    things = ["空调", "冰箱", "洗衣机", "热水器", "油烟机", "电饭煲", "吸尘器", "净水器"]
    faults = ["一直漏水", "不启动了", "声音很大", "有焦味", "遥控失灵"]
    own = [f"家里的{thing}{fault},请尽快处理" for thing in things for fault in faults]
    texts, sources = [], []
    for number, text in enumerate(own):
        if number % 2:
            texts.append(f"尊敬的客户,您好:\n您的工单2024{number:04}已收到。\n{text}\n----\n发自我的手机客户端")
            sources.append("mail")
        else:
            texts.append(text)
            sources.append("app")
    return texts, sources, own


def test_greetings_and_signatures_are_learned_by_source_and_removed() -> None:
    texts, sources, own = mails()
    learned = learn_boilerplate(texts, sources)
    assert set(learned.sentences) == {"mail"}
    for text, source, mine in zip(texts, sources, own, strict=True):
        assert learned.remove(text, source) == mine
    assert learned.remove(texts[1], "app") == texts[1]
    assert learned.share(texts[1], "mail") > 0.5
    assert learned.share(texts[0], "app") == 0


def test_a_pasted_text_and_what_customers_often_say_are_no_boilerplate() -> None:
    pasted = [f"{PASTED}。真的不要买了,我是受害者。"] * 50
    shouts = [f"{text}。太差了。第{number}次" for number, text in enumerate(OTHERS * 10)]
    assert learn_boilerplate([*pasted, *shouts]).sentences == {}


def test_what_was_learned_can_be_kept_and_a_broken_file_is_refused(tmp_path: Path) -> None:
    texts, sources, _ = mails()
    file = tmp_path / "boilerplate.json"
    assert Boilerplate.load(file) == Boilerplate()
    learned = learn_boilerplate(texts, sources)
    learned.save(file)
    assert Boilerplate.load(file) == learned
    file.write_text("[", "utf-8")
    with pytest.raises(BoilerplateError, match="remove it"):
        Boilerplate.load(file)


def test_the_command_adds_groups_accounts_and_boilerplate(tmp_path: Path) -> None:
    file, out = tmp_path / "in.csv", tmp_path / "out.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["内容", "账号"])
        writer.writerows([[OTHERS[0], "a"], [PASTED, "b"], [f"{PASTED}!!", "c"], [f"转:{PASTED}", "b"]])
    command = ["nlp", "duplicates", str(file), "--out", str(out), "--column", "内容", "--account", "账号"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "4 texts, 2 voices: 2 copies, largest group 3" in result.output
    with out.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["duplicate_of"] for row in rows] == ["", "", "2", "2"]
    assert [(row["row"], row["group_size"], row["accounts"]) for row in rows] == [
        ("1", "1", "1"),
        ("2", "3", "2"),
        ("3", "3", "2"),
        ("4", "3", "2"),
    ]


def test_forgetting_a_text_also_removes_the_vector_of_what_boilerplate_left_of_it(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, mask_key="k", nlp={"processes": 1})
    texts, _, _ = mails()
    store = TopicStore(settings)
    embedder = sentence_embedder(settings)
    embedder.embed(store.prepared(texts[1:2]))
    store.learn_boilerplate(texts)
    assert store.prepared(texts[1:2]) != [prepare(texts[1])]
    embedder.embed(store.prepared(texts[1:2]))
    store.learn_boilerplate(texts[:2])
    assert store.prepared(texts[1:2]) == [prepare(texts[1])]
    assert forget_texts(settings, texts[1:2]) == 2
