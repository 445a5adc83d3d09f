"""Text to meaning: normalise, segment, sentiment, topics. Files, arrays and frames only; no database."""
