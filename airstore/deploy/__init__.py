"""Helm releases at a site: rendering, the plan, the ledger."""
