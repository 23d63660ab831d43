"""Releases of a store: verified once, remembered, counted, and what of them is here."""
