"""Sentence vectors of questions, answers and titles, of which nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence

from huiyin.config import Settings
from nlp.embed import TfidfEmbedder
from nlp.knowledge.clustering import Embed
from nlp.scoring import text_embedder
from nlp.text import topic_text


def question_embedder(settings: Settings, texts: Sequence[str]) -> Embed:
    """The configured embedder; one that has to be fitted is fitted on ``texts``."""
    embed = text_embedder(settings, kept=False)
    if embed is None:
        return TfidfEmbedder.fit([topic_text(text) for text in texts], settings.nlp.seed).embed
    return embed
