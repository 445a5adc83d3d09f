"""Feeds of posts and reviews."""
