"""Streams of bytes that have a form of their own."""
