"""Text to tensors, in the TensorFlow graph."""
