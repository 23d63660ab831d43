"""Pairs of real images, and what each tool makes of the change between them."""
