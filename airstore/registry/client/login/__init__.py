"""Who a client is to a registry: credentials, challenges, tokens."""
