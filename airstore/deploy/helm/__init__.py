"""Helm releases: calls, records, and what Helm really installed."""
