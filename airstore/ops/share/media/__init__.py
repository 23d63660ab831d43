"""Media over a line: put into a registry, fetched from one or from a web server."""
