"""Publishers, their products, and the road to a site."""
