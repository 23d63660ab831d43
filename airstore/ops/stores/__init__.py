"""A store: its directory, its releases verified on every use, its check."""
