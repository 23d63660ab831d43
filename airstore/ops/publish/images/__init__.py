"""The images of a product: found, checked, sized, compared with what runs."""
