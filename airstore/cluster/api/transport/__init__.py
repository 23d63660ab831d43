"""The line to the API server, and streams over it."""
