"""The hooks of a Helm release: scripts and Jobs around an upgrade and during a rollback."""
