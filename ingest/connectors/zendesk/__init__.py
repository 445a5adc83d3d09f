"""Zendesk help desks."""
