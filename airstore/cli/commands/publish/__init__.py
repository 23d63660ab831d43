"""Commands of a publisher."""
