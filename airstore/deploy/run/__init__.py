"""One run: steps, engine, journal, hooks, health."""
