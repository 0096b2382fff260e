"""Processes and what they say to each other: workers, their supervisor, the bus, the robot."""
