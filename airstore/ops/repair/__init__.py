"""``airstore repair``: from media, other stores and registries, what is damaged here."""
