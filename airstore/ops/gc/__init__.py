"""``airstore gc``: dropping the content of old releases."""
