"""The search for fast settings."""
