"""Readers of files and databases: whatever the origin, Arrow tables of text come out."""
