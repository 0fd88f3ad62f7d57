"""Inference: pictures, films and folders through a network or a compiled artifact."""
