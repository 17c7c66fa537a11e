"""A local server with TensorFlow Serving's REST and gRPC APIs, for development and tests.

In production use TensorFlow Serving itself: it answers the same calls, and is made for load.
"""
