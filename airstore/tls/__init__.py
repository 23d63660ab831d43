"""Certificates and passwords of servers."""
