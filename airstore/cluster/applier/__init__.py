"""The applier in the cluster: its objects and rights."""
