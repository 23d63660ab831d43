"""Charts rendered in every way that a site may."""
