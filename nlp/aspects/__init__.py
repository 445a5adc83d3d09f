"""Aspects and feelings of a text, by lists that people edit.

:class:`AspectExtractor` tells what is praised or blamed, :class:`EmotionDetector` how the customer feels and how urgent
it is; both say which words decided.
"""

from nlp.aspects.emotion import EmotionDetector, EmotionModel, Feeling
from nlp.aspects.extractor import POLARITIES, AspectExtractor, AspectModel, AspectOpinion, Polarity
from nlp.aspects.taxonomy import Aspect, Taxonomy, TaxonomyError, read_taxonomy, shipped_taxonomy, taxonomy_of

__all__ = [
    "POLARITIES",
    "Aspect",
    "AspectExtractor",
    "AspectModel",
    "AspectOpinion",
    "EmotionDetector",
    "EmotionModel",
    "Feeling",
    "Polarity",
    "Taxonomy",
    "TaxonomyError",
    "read_taxonomy",
    "shipped_taxonomy",
    "taxonomy_of",
]
