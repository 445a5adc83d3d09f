"""What is done about it: alerts, improvement cards, effects, the committee's report."""
