"""Looking after a store that is there."""
