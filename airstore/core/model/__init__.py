"""What product, site and release files say, parsed once; and the tags that follow from it."""
