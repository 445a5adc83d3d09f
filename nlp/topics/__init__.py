"""Topics with permanent ids: found by BERTopic, named in a registry, assigned by the nearest centroid.

A fit discovers topics; the daily assignment only compares with centroids; a weekly refit discovers anew and hands
each new topic the id of the old one it continues.
"""

from nlp.topics.lifecycle import (
    RefitReport,
    assign_chunk,
    current_version,
    ensure_model,
    refit,
    topics_table,
    write_topics,
)

__all__ = [
    "RefitReport",
    "assign_chunk",
    "current_version",
    "ensure_model",
    "refit",
    "topics_table",
    "write_topics",
]
