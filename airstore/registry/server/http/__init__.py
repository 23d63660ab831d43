"""Connections of the served registry: accepted, bounded, read as HTTP."""
