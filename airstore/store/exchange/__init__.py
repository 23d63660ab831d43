"""Packs that leave a store, and packs that have arrived."""
