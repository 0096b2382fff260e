"""What LeRobot imports by itself: it registers the studio's robot, teleoperators and tasks."""

from studio.lerobot_plugin import *  # noqa: F403
