"""The same text from many accounts is one voice with a count; what recurs in many texts is nobody's voice."""

from nlp.duplicates.boilerplate import Boilerplate, learn_boilerplate
from nlp.duplicates.near import DuplicateIndex, Duplicates, find_duplicates, jaccard, shingles

__all__ = [
    "Boilerplate",
    "DuplicateIndex",
    "Duplicates",
    "find_duplicates",
    "jaccard",
    "learn_boilerplate",
    "shingles",
]
