"""Registries: serving, pushing, and what nodes can pull."""
