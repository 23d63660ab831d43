"""What crosses the gap: writing, inspecting and verifying media."""
