"""How fast an artifact is, against what the machine can do."""
