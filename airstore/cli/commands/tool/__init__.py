"""Commands about airstore itself."""
