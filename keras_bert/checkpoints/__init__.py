"""Weights on disk, one module per format."""
