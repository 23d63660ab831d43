"""What is shown: tables, documents, plans, live lines."""
