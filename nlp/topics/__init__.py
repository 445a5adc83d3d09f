"""Topics with permanent ids: found once, named in a registry, assigned by the nearest centroid.

The first fit discovers topics; the daily assignment only compares with centroids; each week new topics are born from
what fits none, and each month all topics follow their texts, split, merge and end under the ids they have.
"""

from nlp.topics.learning import RefitReport
from nlp.topics.lifecycle import (
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
