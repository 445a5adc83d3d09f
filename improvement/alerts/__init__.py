"""Alerts: conditions that differ from a target or from what was to be expected."""
