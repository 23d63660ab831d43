"""Bills of materials that are attached to images: found, read, compared."""
