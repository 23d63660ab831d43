"""Signatures that others made of images, as cosign attaches them: keys, claims, bundles."""
