"""Packaged charts: fetched, made, read strictly."""
