"""Waiting until what was installed is healthy, shown as it goes, and ended where no time will help."""
