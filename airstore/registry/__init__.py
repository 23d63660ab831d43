"""OCI distribution: sources, the client, the embedded server, push."""
