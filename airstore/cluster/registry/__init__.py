"""The registry in the cluster: its objects, owners, pull secrets, mirrors of nodes."""
