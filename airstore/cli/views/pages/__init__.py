"""Pages for people: self-contained HTML by Jinja, every text escaped, and the same facts as Markdown."""
