"""Requests by HTTP: which connections, and with what certificates, proxies and redirects."""
