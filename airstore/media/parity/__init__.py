"""Parity on media: what damaged or lost parts are rebuilt from (docs/formats-media.md, Parity)."""
