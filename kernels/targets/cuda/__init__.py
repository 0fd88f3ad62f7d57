"""NVIDIA's graphics processors."""
