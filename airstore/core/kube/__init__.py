"""Words of Kubernetes that `airstore.deploy` and `airstore.cluster` share: plain values, no connection."""
