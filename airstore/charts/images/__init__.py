"""Images that charts ask for: found, and rewritten to a site's registry."""
