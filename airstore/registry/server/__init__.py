"""The embedded registry."""
