"""Schemas of values: what they refer to elsewhere, and how it is brought along and read with them."""
