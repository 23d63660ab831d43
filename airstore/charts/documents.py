"""The images that Kubernetes documents name: the face for scripts outside of airstore."""

from airstore.charts.images.documents import find_images

__all__ = ["find_images"]
