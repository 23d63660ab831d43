"""Finding and reading objects: the index, and blobs rebuilt with every byte verified."""
