"""Huiyin's front door: command line, typed configuration, doctor and the demo company."""
