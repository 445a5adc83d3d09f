"""How well and how fast personal data is found, measured on sentences written for this project.

``python benchmarks/masking_quality.py`` measures the project on the held-out sentences, ``--part dev`` on those that
the rules were made with, ``--errors`` lists what went wrong. Other libraries are measured side by side where they are
installed (none is needed by the project): phonenumbers, python-stdnum, presidio-analyzer, jionlp, jieba.

A value counts as found if a stretch of the same kind covers exactly its letters and digits; of an address 70 % of the
characters of both together must be common to both, for where it begins is a matter of taste. Recall is the share of
written values that were found, precision the share of stretches found that are right.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = ROOT / "tests" / "ingest" / "masking_sentences"
CONTEXTUAL = ("姓名", "地址")
_MARKED = re.compile(r"\{([^:{}]+):([^{}]*)\}")
_INSIGNIFICANT = re.compile(r"[^0-9A-Za-z一-龥]")

Span = tuple[str, int, int]
Engine = Callable[[str], list[Span]]


@dataclass(frozen=True)
class Sentence:
    """A text and where its personal data stands: kind, start, end in characters."""

    text: str
    spans: tuple[Span, ...]


def read_sentences(files: Iterable[Path]) -> list[Sentence]:
    """The sentences of files in which ``{kind:value}`` marks personal data and ``#`` begins a comment line."""
    sentences = []
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            if line and not line.startswith("#"):
                sentences.append(_parse(line))
    return sentences


def _parse(line: str) -> Sentence:
    text, spans, done = "", [], 0
    for match in _MARKED.finditer(line):
        text += line[done : match.start()]
        spans.append((match[1], len(text), len(text) + len(match[2])))
        text += match[2]
        done = match.end()
    return Sentence(text + line[done:], tuple(spans))


def part(name: str) -> list[Sentence]:
    """The sentences of a part: dev or held_out."""
    return read_sentences(sorted(SENTENCES.glob(f"{name}*.txt")))


@dataclass
class Score:
    """Counts of one kind."""

    written: int = 0
    found: int = 0
    claimed: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.written if self.written else float("nan")

    @property
    def precision(self) -> float:
        return self.right / self.claimed if self.claimed else float("nan")


def _agree(text: str, written: Span, claimed: Span) -> bool:
    if written[0] != claimed[0] or written[1] >= claimed[2] or claimed[1] >= written[2]:
        return False
    if written[0] == "地址":
        common = min(written[2], claimed[2]) - max(written[1], claimed[1])
        return common >= 0.7 * (max(written[2], claimed[2]) - min(written[1], claimed[1]))
    first, second = (_INSIGNIFICANT.sub("", text[start:end]) for _, start, end in (written, claimed))
    return first == second


def score(sentences: Iterable[Sentence], engine: Engine) -> tuple[dict[str, Score], list[str]]:
    """Scores by kind and, over several, of ``structured`` and ``all``; and a line for each mistake."""
    by_kind: dict[str, Score] = {}
    mistakes = []
    for sentence in sentences:
        claims = engine(sentence.text)
        for written in sentence.spans:
            found = any(_agree(sentence.text, written, claim) for claim in claims)
            for kind in _groups(written[0]):
                entry = by_kind.setdefault(kind, Score())
                entry.written += 1
                entry.found += found
            if not found:
                mistakes.append(f"missed {written[0]} {sentence.text[written[1] : written[2]]!r} in {sentence.text}")
        for claim in claims:
            right = any(_agree(sentence.text, written, claim) for written in sentence.spans)
            for kind in _groups(claim[0]):
                entry = by_kind.setdefault(kind, Score())
                entry.claimed += 1
                entry.right += right
            if not right:
                mistakes.append(f"wrong  {claim[0]} {sentence.text[claim[1] : claim[2]]!r} in {sentence.text}")
    return by_kind, mistakes


def _groups(kind: str) -> Iterator[str]:
    yield kind
    if kind not in CONTEXTUAL:
        yield "structured"
    yield "all"


def huiyin(text: str) -> list[Span]:
    """The project's own rules."""
    from ingest.personal import find

    return [(found.kind, found.start, found.end) for found in find(text)]


def _matches(kind: str, pattern: str, text: str, accept: Callable[[str], bool]) -> list[Span]:
    return [(kind, m.start(), m.end()) for m in re.finditer(pattern, text) if accept(m[0])]


def with_phonenumbers(text: str) -> list[Span]:
    """Telephones by the port of Google's libphonenumber, numbers as dialled in China."""
    import phonenumbers

    kinds = {phonenumbers.PhoneNumberType.MOBILE: "手机号", phonenumbers.PhoneNumberType.FIXED_LINE: "电话"}
    return [
        (kind, match.start, match.end)
        for match in phonenumbers.PhoneNumberMatcher(text, "CN")
        if (kind := kinds.get(phonenumbers.number_type(match.number)))
    ]


def with_stdnum(text: str) -> list[Span]:
    """Identity numbers, credit codes and bank cards by the check digits of python-stdnum."""
    from stdnum import luhn
    from stdnum.cn import ric, uscc

    return [
        *_matches("身份证", r"(?<![0-9A-Za-z])\d{17}[\dXx]", text, ric.is_valid),
        *_matches("信用代码", r"[0-9A-Z]{18}", text, uscc.is_valid),
        *_matches("银行卡", r"(?<!\d)[3-6][\d -]{14,22}\d", text, luhn.is_valid),
    ]


def _presidio() -> Engine:
    from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, EmailRecognizer, PhoneRecognizer

    recognizers: list[tuple[str, str, Any]] = [
        ("邮箱", "EMAIL_ADDRESS", EmailRecognizer(supported_language="zh")),
        ("银行卡", "CREDIT_CARD", CreditCardRecognizer(supported_language="zh")),
        ("手机号", "PHONE_NUMBER", PhoneRecognizer(supported_language="zh", supported_regions=("CN",))),
    ]

    def search(text: str) -> list[Span]:
        return [
            (kind, result.start, result.end)
            for kind, entity, recognizer in recognizers
            for result in recognizer.analyze(text, [entity], None)
        ]

    return search


def _jionlp() -> Engine:
    import jionlp

    phones = {"cell_phone": "手机号", "landline_phone": "电话"}
    others = (
        ("身份证", jionlp.extract_id_card),
        ("邮箱", jionlp.extract_email),
        ("QQ", jionlp.extract_qq),
        ("微信", jionlp.extract_wechat_id),
        ("车牌", jionlp.extract_motor_vehicle_licence_plate),
    )

    def search(text: str) -> list[Span]:
        found = [
            (phones[item["type"]], *item["offset"]) for item in jionlp.extract_phone_number(text, detail=True) or ()
        ]
        for kind, function in others:
            found += [(kind, *item["offset"]) for item in function(text, detail=True) or ()]
        return found

    return search


def _jieba() -> Engine:
    import jieba.posseg

    def search(text: str) -> list[Span]:
        spans, place = [], 0
        for word, tag in jieba.posseg.cut(text):
            if tag == "nr" and len(word) > 1:
                spans.append(("姓名", place, place + len(word)))
            place += len(word)
        return spans

    return search


# Name, module it needs, how it is made, the kinds that it is asked for ("" = all).
ENGINES: tuple[tuple[str, str, Callable[[], Engine], tuple[str, ...]], ...] = (
    ("huiyin", "ingest.personal", lambda: huiyin, ()),
    ("phonenumbers", "phonenumbers", lambda: with_phonenumbers, ("手机号", "电话")),
    ("python-stdnum", "stdnum", lambda: with_stdnum, ("身份证", "信用代码", "银行卡")),
    ("presidio-analyzer", "presidio_analyzer", _presidio, ("手机号", "银行卡", "邮箱")),
    ("jionlp", "jionlp", _jionlp, ("手机号", "电话", "身份证", "邮箱", "QQ", "微信", "车牌")),
    ("jieba.posseg", "jieba", _jieba, ("姓名",)),
)


def rate(engine: Engine, texts: list[str], seconds: float = 2.0) -> float:
    """Texts a second of CPU."""
    begun, count = time.process_time(), 0
    while (spent := time.process_time() - begun) < seconds:
        for text in texts:
            engine(text)
        count += len(texts)
    return count / spent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--part", choices=("dev", "held_out"), default="held_out")
    parser.add_argument("--errors", action="store_true", help="list the mistakes of the project's own rules")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    sentences = part(arguments.part)
    texts = [sentence.text for sentence in sentences]
    kinds = Counter(span[0] for sentence in sentences for span in sentence.spans)
    print(f"{arguments.part}: {len(sentences)} sentences, {kinds.total()} values of {len(kinds)} kinds\n")
    print(f"{'engine':20}{'kind':12}{'written':>8}{'recall':>8}{'precision':>10}")
    for name, module, make, asked in ENGINES:
        if importlib.util.find_spec(module.split(".")[0]) is None:
            print(f"{name:20}not installed")
            continue
        engine = make()
        by_kind, mistakes = score(sentences, engine)
        shown = asked or (*kinds, "structured", "all")
        for kind in shown:
            entry = by_kind.get(kind, Score())
            print(f"{name:20}{kind:12}{entry.written:8}{entry.recall:8.3f}{entry.precision:10.3f}")
        print(f"{name:20}{rate(engine, texts):,.0f} texts/s a core\n")
        if arguments.errors and name == "huiyin":
            print("\n".join(mistakes), "\n")


if __name__ == "__main__":
    main()
