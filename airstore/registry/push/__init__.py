"""Pushes: what a registry lacks, found out, then sent."""
