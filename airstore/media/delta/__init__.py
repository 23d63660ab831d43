"""Deltas between the files of two releases: which old file serves a new one, and what is left to carry."""
