"""Model directories to SavedModels that answer raw strings."""
