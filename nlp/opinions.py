"""What each text of a hand-over file says about which aspect, how the customer feels, and how urgent it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from huiyin.config import Settings
from nlp.aspects import AspectExtractor, EmotionDetector, Taxonomy, taxonomy_of
from nlp.handover import read_voices, write_results
from nlp.noise import NoiseDetector, noise_detector
from nlp.text import text_hash

OPINION_SCHEMA = pa.schema(
    [
        pa.field("voice_id", pa.string(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("name_zh", pa.string()),
        pa.field("polarity", pa.string(), nullable=False),
        pa.field("strength", pa.float64()),
        pa.field("words", pa.string()),
    ]
)
"""One row an opinion. ``kind``: aspect, emotion, urgency, or none for a text that holds no opinion, so that it counts
as read. ``polarity`` (positive, neutral, negative) of aspects, empty for feelings; ``strength`` (0…1) of feelings;
``words``: those that decided, joined by 、."""

NONE = "none"


def opinion_version(settings: Settings) -> str:
    """The version that :func:`opinions_chunk` writes: it changes with the rules and with the lists people edit.

    Raises :class:`nlp.aspects.TaxonomyError` and :class:`nlp.noise.NoiseFileError`.
    """
    return _version(*_models(taxonomy_of(settings)), noise_detector(settings))


def opinions_chunk(settings: Settings, in_file: Path, out_file: Path) -> None:
    """Read Parquet (voice_id, text), write Parquet of :data:`OPINION_SCHEMA`, at once when complete.

    Noise (:mod:`nlp.noise`) holds no opinion: what an advertisement praises, no customer does.

    Raises :class:`nlp.handover.HandoverFileError` for a file without those columns, and
    :class:`nlp.aspects.TaxonomyError`.
    """
    voice_ids, texts = read_voices(in_file)
    taxonomy = taxonomy_of(settings)
    aspects, emotions = _models(taxonomy)
    detector = noise_detector(settings)
    version = _version(aspects, emotions, detector)
    said = ["" if detector.find(text) else text for text in texts]
    rows = [
        {"voice_id": voice_id, "text_hash": text_hash(text), "model_version": version} | opinion
        for voice_id, text, opinions in zip(voice_ids, texts, _opinions(said, taxonomy, aspects, emotions), strict=True)
        for opinion in opinions
    ]
    write_results(pa.Table.from_pylist(rows, schema=OPINION_SCHEMA), out_file)


def _models(taxonomy: Taxonomy) -> tuple[AspectExtractor, EmotionDetector]:
    return AspectExtractor(taxonomy), EmotionDetector(taxonomy)


def _version(aspects: AspectExtractor, emotions: EmotionDetector, detector: NoiseDetector) -> str:
    return f"{aspects.version}+{emotions.version}+{detector.version}"


def _opinions(
    texts: Sequence[str], taxonomy: Taxonomy, aspects: AspectExtractor, emotions: EmotionDetector
) -> Iterator[list[dict[str, object]]]:
    names, feeling_names = taxonomy.aspect_names(), taxonomy.feeling_names()
    for said, felt in zip(aspects.predict(texts), emotions.predict(texts), strict=True):
        found: list[dict[str, object]] = [
            {
                "kind": "aspect",
                "code": opinion.aspect,
                "name_zh": names[opinion.aspect],
                "polarity": opinion.polarity,
                "words": "、".join(opinion.words),
            }
            for opinion in said
        ]
        found += [
            {
                "kind": feeling.kind,
                "code": feeling.feeling,
                "name_zh": feeling_names[feeling.feeling],
                "polarity": "",
                "strength": feeling.strength,
                "words": "、".join(feeling.words),
            }
            for feeling in felt
        ]
        yield found or [{"kind": NONE, "code": "", "polarity": ""}]
