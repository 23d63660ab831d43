"""Both roads, old and new, measured beside the tools people use today."""
