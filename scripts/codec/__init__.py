"""Real encoders, and what the codec makes of their streams."""
