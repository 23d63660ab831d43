"""What would change: plans, drift, the stack of states and their backups."""
