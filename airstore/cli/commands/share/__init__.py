"""Commands about a store that several machines share."""
