"""Commands about what crosses the gap."""
