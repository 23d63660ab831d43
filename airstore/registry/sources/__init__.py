"""Where images come from: OCI layouts and archives, and what an image consists of."""
