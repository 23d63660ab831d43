"""The applier in the cluster, from outside and inside."""
