"""Pruning: fewer filters, the same network. Widths say how many, surgery takes them out, a search decides."""
