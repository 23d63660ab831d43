"""What a delta is on media: its head, its streams, its table, and pieces as what makes them of others."""
