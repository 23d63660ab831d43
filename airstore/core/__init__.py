"""Values every layer shares: digests, descriptors, the release model, errors, durable files, limits."""
