"""Putting blobs in: split into objects, compressed into frames, written to packs."""
