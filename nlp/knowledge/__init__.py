"""Questions that agents answer by hand again and again, with the best answer there is: what a knowledge base lacks."""

from nlp.knowledge.clustering import group_questions
from nlp.knowledge.gaps import Gap, KnowledgeGaps, find_gaps
from nlp.knowledge.questions import how_to
from nlp.knowledge.tables import Article, Case, KnowledgeDataError, read_articles, read_cases

__all__ = [
    "Article",
    "Case",
    "Gap",
    "KnowledgeDataError",
    "KnowledgeGaps",
    "find_gaps",
    "group_questions",
    "how_to",
    "read_articles",
    "read_cases",
]
