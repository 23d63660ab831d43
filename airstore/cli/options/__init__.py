"""Options that several commands share, and what they mean when they are not given."""
