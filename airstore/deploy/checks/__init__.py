"""What is checked before anything changes."""
