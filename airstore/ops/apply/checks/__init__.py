"""What is asked before a run changes anything."""
