"""Evaluation: protocols and metrics against measured depth."""
