"""Registries, what is pushed to them, and what breaks on the way."""
