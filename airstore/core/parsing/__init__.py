"""Strict reading of what others wrote: JSON, YAML, JSON Schema, JSONPath."""
