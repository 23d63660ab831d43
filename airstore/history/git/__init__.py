"""git itself: objects, trees, commits, refs, and the git program."""
