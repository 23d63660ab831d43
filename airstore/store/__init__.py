"""Blobs kept as objects: splitting, packs, the index, verified reads."""
