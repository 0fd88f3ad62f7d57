"""What networks are trained and evaluated on."""
