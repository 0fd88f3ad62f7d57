"""Processors with vector registers."""
