"""Options that name files."""
