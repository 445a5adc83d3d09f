"""Zendesk Support: tickets, their history, users, ratings and service hours."""
