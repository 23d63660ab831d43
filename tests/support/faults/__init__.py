"""Disks that fail, media that are forged, processes that are killed."""
