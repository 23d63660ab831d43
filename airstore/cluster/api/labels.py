"""What marks an object as made by airstore, and for whom."""

from __future__ import annotations

PRODUCT = "airstore.example/product"  # annotation: whose it is
