"""Bundling a finished run with its card. For maintainers."""
