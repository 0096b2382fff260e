"""Nobody at the controls: for replay, and for a desk without a device.

The control loop asks a teleoperator every tick; this one always rests.
"""

from collections.abc import Mapping

from recorders.clock import Clock
from studio.devices.interfaces import HumanInput, idle_input


class AbsentTeleoperator:
    """A teleoperator that never asks for anything."""

    name = "none"
    is_connected = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.action_features: dict[str, type] = {}
        self.feedback_features: dict[str, type] = {}

    def connect(self) -> None:
        """Nothing to open."""

    def disconnect(self) -> None:
        """Nothing to close."""

    def read(self) -> HumanInput:
        """Rest."""
        return idle_input(self._clock.now_ns())

    def get_action(self) -> dict[str, float]:
        """Nothing."""
        return {}

    def send_feedback(self, feedback: Mapping[str, object]) -> None:
        """Nothing to tell."""
