"""What is kept of an episode, and the process that writes it."""
