"""What the demo company's people write: varied, no giveaway phrases, with real personal data that checks out."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from .conftest import Company


def test_texts_hardly_repeat(company: Company) -> None:
    assert company.tickets["内容"].duplicated().mean() < 0.04
    feedback = pd.concat([company.voices["content"], company.answers["意见"].dropna()])
    assert feedback.duplicated().mean() < 0.05


def test_ticket_texts_have_the_length_of_chat_messages(company: Company) -> None:
    length = company.requests["内容"].str.len()
    assert 20 <= length.mean() <= 60
    assert company.requests["标题"].str.len().mean() < 15


def test_no_phrase_gives_a_subtype_away(company: Company) -> None:
    by_subtype = {
        subtype: Counter(gram for text in texts for gram in {text[i : i + 4] for i in range(len(text) - 3)})
        for subtype, texts in company.requests.groupby("true_subtype")["内容"]
    }
    total: Counter[str] = sum(by_subtype.values(), Counter())
    sizes = company.requests["true_subtype"].value_counts()
    assert len(by_subtype) == 24
    for subtype, grams in by_subtype.items():
        exclusive = {gram: count for gram, count in grams.items() if total[gram] == count}
        gram, count = max(exclusive.items(), key=lambda item: item[1])
        assert count / sizes[subtype] < 0.4, (subtype, gram)


def test_nothing_of_the_templates_shows_through(company: Company) -> None:
    for texts in (
        company.tickets["内容"],
        company.tickets["标题"],
        company.messages["内容"],
        company.voices["content"],
    ):
        assert not texts.str.contains(r"[{}|]|None|nan", regex=True).any()
        assert not texts.str.contains(r"@(?:water|wash|air|cold|kitchen|small)", regex=True).any()


def test_people_use_emoji_slips_and_traditional_characters(company: Company) -> None:
    texts = company.requests["内容"]
    assert 0.02 < texts.str.contains("[😀-🙏🤀-🧿]", regex=True).mean() < 0.3
    assert texts.str.contains("登陆|帐号|师父|以经|肿么", regex=True).any()
    assert 0.01 < texts.str.contains("[沒這樣說還來個們時]", regex=True).mean() < 0.08


def test_planted_personal_data_is_really_in_the_texts_and_checks_out(company: Company) -> None:
    everything = "\n".join(
        [
            *company.tickets["内容"],
            *company.messages["内容"],
            *company.voices["content"],
            *company.answers["意见"].dropna(),
        ]
    )
    planted = company.truth_of("personal_data")
    assert set(planted) == {
        "mobile", "landline", "id_card", "bank_card", "email", "address", "person_name", "wechat", "order_number",
    }  # fmt: skip
    for kind, values in planted.items():
        assert len(values) >= 5, kind
        missing = [value for value in values if value not in everything]
        # Traditional characters are brought in before, so nothing may be lost.
        assert not missing, (kind, missing)
    assert all(_luhn(value) for value in planted["bank_card"])
    assert all(_mod_11_2(value) for value in planted["id_card"])
    assert company.truth["has_personal_data"].mean() > 0.04


def _luhn(number: str) -> bool:
    doubled = [int(d) if i % 2 == 0 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(reversed(number))]
    return sum(doubled) % 10 == 0


def _mod_11_2(number: str) -> bool:
    remainder = 0  # ISO 7064: the whole number, X as 10, is 1 modulo 11 in powers of 2
    for character in number:
        remainder = (remainder * 2 + (10 if character == "X" else int(character))) % 11
    return remainder == 1
