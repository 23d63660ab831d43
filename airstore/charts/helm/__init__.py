"""The Helm program, closed in."""
