"""Finding out what a delta has to carry: which old pieces serve new ones, and what that takes."""
