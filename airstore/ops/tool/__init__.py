"""The tool itself as something to carry: the bundle, its signature, and how it replaces itself."""
