"""The registry in the cluster: made, shared, its passwords and certificates."""
