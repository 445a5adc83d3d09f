"""Databases that SQLAlchemy speaks to."""
