"""Releases as signed commits in a bare git repository."""
