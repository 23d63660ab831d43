"""The Kubernetes API: connections, objects, discovery, leases."""
