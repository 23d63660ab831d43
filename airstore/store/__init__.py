"""Blobs kept as objects in packs, with a recipe each: every byte read is verified."""
