"""The client of a registry: requests, blobs, manifests, referrers."""
