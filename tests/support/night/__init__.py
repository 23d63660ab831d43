"""The bakery and the operator's night."""
