"""The desk: the process that owns the others, and what consoles ask of it."""
