"""How each kernel runs: knobs and their legal settings, and the schedules that turn them."""
