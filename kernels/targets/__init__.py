"""Kinds of machines, one folder each."""
