"""How a network learns: recipes, the loop and its optimiser, what it tells, where it came from."""
