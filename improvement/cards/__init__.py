"""Improvement cards: opened by evidence, worked on by people, closed by a measured effect."""
