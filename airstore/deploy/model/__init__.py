"""What a run is about: targets, and what it asks of its surroundings."""
