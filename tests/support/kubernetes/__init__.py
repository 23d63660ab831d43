"""API servers and clusters, real ones and those in memory."""
