"""Real programs, and documents run as they are written."""
