"""Training: recipes, the learner, its optimizers, and several processes at once."""
