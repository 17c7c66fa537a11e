"""Pages that show what a model gets wrong."""
