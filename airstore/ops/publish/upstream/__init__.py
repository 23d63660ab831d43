"""Signatures that others made of images: asked for, attached, judged."""
