"""Reading Helm charts, rendering them, and finding the images they ask for."""
