"""Media in several volumes: what lies on which, and how files are cut to fit."""
