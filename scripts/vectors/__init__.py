"""What other people's tools signed and listed, kept as fixtures."""
