"""Supervised programs: bounded output, a deadline, and nothing of them left behind."""
