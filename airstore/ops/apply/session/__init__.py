"""One run against a cluster: what is installed, with what, under which locks, and what is said of it."""
