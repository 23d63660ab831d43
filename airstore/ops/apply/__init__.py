"""What changes a site's cluster: apply, rollback, uninstall; and status."""
