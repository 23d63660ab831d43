"""Commands about a site's cluster."""
