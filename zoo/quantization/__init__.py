"""Integers for a trained network: which scales its numbers want, found on pictures."""
