"""The networks: an encoder and what stands on it, in `keras.ops` alone."""
