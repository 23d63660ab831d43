"""How a session ends: what is there, recorded and said."""
