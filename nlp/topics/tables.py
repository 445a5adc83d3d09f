"""The tables that leave the topics for the warehouse."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from nlp.topics.registry import Registry

ASSIGNMENT_SCHEMA = pa.schema(
    [
        pa.field("voice_id", pa.string(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),
        pa.field("topic_id", pa.int64(), nullable=False),
        pa.field("similarity", pa.float64()),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("assigned_at", pa.timestamp("us"), nullable=False),
    ]
)
TOPICS_SCHEMA = pa.schema(
    [
        pa.field("topic_id", pa.int64(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("keywords", pa.string()),
        pa.field("text_count", pa.int64()),
        pa.field("state", pa.string()),
        pa.field("born_on", pa.date32()),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("parent_id", pa.int64()),
        pa.field("parent_label", pa.string()),
        pa.field("problem_subtype", pa.string()),
        pa.field("problem_type", pa.string()),
        pa.field("stage", pa.string()),
        pa.field("root_cause_class", pa.string()),
        pa.field("class_confidence", pa.float64()),
        pa.field("retired_on", pa.date32()),
        pa.field("split_from", pa.int64()),
        pa.field("merged_into", pa.int64()),
    ]
)


def registry_table(registry: Registry) -> pa.Table:
    """The registry, retired topics included, with the columns of ``nlp.topics``."""
    groups = registry.group_labels()
    rows = []
    for topic in registry.topics:
        found = topic.problem_class
        rows.append(
            {
                "topic_id": topic.topic_id,
                "label": topic.shown,
                "keywords": "、".join(topic.keywords),
                "text_count": topic.text_count,
                "state": topic.state,
                "born_on": date.fromisoformat(topic.born_on),
                "model_version": registry.version,
                "parent_id": topic.parent_id,
                "parent_label": None if topic.parent_id is None else groups[topic.parent_id],
                "problem_subtype": found.problem_subtype if found else None,
                "problem_type": found.problem_type if found else None,
                "stage": found.stage if found else None,
                "root_cause_class": found.root_cause_class if found else None,
                "class_confidence": found.confidence if found else None,
                "retired_on": date.fromisoformat(topic.retired_on) if topic.retired_on else None,
                "split_from": topic.split_from,
                "merged_into": topic.merged_into,
            }
        )
    return pa.Table.from_pylist(rows, schema=TOPICS_SCHEMA)
