"""The trust root: who may sign, and how that changes."""
