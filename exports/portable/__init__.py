"""Model directories to files that take ids: ONNX and LiteRT."""
