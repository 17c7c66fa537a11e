"""A page in the browser to try an export with, whatever its task."""
