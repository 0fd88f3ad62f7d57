"""Weights: checkpoint folders, the Hub, and loading by name."""
