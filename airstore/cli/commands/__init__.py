"""The commands, one file each, in folders as the use cases are."""
