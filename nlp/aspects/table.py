"""Aspects and feelings as columns beside the texts, for spreadsheets and for the analysis of drivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlp.aspects.emotion import EmotionModel, Feeling
from nlp.aspects.extractor import AspectModel, AspectOpinion
from nlp.aspects.taxonomy import Taxonomy

SIGNS = {"positive": "+", "negative": "-", "neutral": "0"}


def describe(
    texts: Sequence[str], aspects: AspectModel, emotions: EmotionModel, taxonomy: Taxonomy
) -> dict[str, list[str]]:
    """Columns by name, each as long as ``texts``.

    ``aspects`` (``attitude+;resolution-``), ``emotions`` and ``urgency`` (codes, strongest first), ``strengths``
    (``anger:0.9``) and ``reasons``: the words that decided, with the names of the taxonomy.
    """
    names, feeling_names = taxonomy.aspect_names(), taxonomy.feeling_names()
    opinions, feelings = aspects.predict(texts), emotions.predict(texts)
    return {
        "aspects": [";".join(opinion.aspect + SIGNS[opinion.polarity] for opinion in said) for said in opinions],
        "emotions": [_codes(said, "emotion") for said in feelings],
        "urgency": [_codes(said, "urgency") for said in feelings],
        "strengths": [";".join(f"{feeling.feeling}:{feeling.strength}" for feeling in said) for said in feelings],
        "reasons": [
            "；".join(
                [_opinion(opinion, names) for opinion in said] + [_feeling(feeling, feeling_names) for feeling in felt]
            )
            for said, felt in zip(opinions, feelings, strict=True)
        ],
    }


def _codes(feelings: Sequence[Feeling], kind: str) -> str:
    return ";".join(feeling.feeling for feeling in feelings if feeling.kind == kind)


def _opinion(opinion: AspectOpinion, names: Mapping[str, str]) -> str:
    return f"{names.get(opinion.aspect, opinion.aspect)}{SIGNS[opinion.polarity]}（{'、'.join(opinion.words)}）"


def _feeling(feeling: Feeling, names: Mapping[str, str]) -> str:
    return f"{names.get(feeling.feeling, feeling.feeling)}（{'、'.join(feeling.words)}）"
