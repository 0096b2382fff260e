"""An arm that is at every moment where it was last told to be: no physics, no pictures, cheap."""

import numpy as np

from recorders.clock import Clock
from recorders.streams import Batch
from studio.devices.interfaces import RobotInfo


class FollowingArm:
    """See `studio.devices.interfaces.RobotDriver`."""

    def __init__(self, clock: Clock, info: RobotInfo) -> None:
        self.info, self.fault = info, ""
        self.position = np.array(info.home)
        self._clock, self._seq = clock, 0
        self._spec = next(spec for spec in info.streams if spec.name == "arm")

    def connect(self) -> None:
        """It is there."""

    def disconnect(self) -> None:
        """It stays where it is."""

    def poll(self) -> list[Batch]:
        """One sample of the arm."""
        rows = np.zeros(1, self._spec.row_dtype)
        rows["t_mono_ns"], rows["seq"] = self._clock.now_ns(), self._seq
        rows["position"] = self.position
        self._seq += 1
        return [Batch("arm", rows)]

    def send(self, target: np.ndarray) -> None:
        """Be there."""
        self.position = target.copy()

    def hold(self) -> None:
        """It does."""


class RememberingArm(FollowingArm):
    """One that can be taken back to where it was; see `studio.devices.interfaces.Rewindable`."""

    def __init__(self, clock: Clock, info: RobotInfo) -> None:
        super().__init__(clock, info)
        self._was: list[tuple[int, np.ndarray]] = []

    def poll(self) -> list[Batch]:
        """One sample of the arm, to be remembered."""
        self._was.append((self._clock.now_ns(), self.position))
        return super().poll()

    def rewind(self, stamp_ns: int) -> int:
        """Be where it was then."""
        while self._was[-1][0] > stamp_ns:
            self._was.pop()
        self.position = self._was[-1][1]
        return self._was[-1][0]
