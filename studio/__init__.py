"""The station beside the robot, and its consoles."""
