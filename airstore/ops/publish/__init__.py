"""What a publisher does: keys, images found and ingested, releases made and compared."""
