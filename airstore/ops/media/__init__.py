"""Media made, imported, and acknowledged by receipts."""
