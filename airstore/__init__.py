"""git for air-gapped Kubernetes releases."""

__version__ = "0.1.0"
