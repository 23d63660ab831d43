"""The words of the OCI specifications: digests, descriptors, manifests, references."""
