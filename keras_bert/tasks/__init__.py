"""Tasks: how to read their data, what they predict and how they are scored."""
