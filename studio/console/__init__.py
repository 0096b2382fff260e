"""The desktop console: the seat at the robot, drawn with Dear PyGui."""
