"""What robots that are programs have in common: they follow a clock, and pictures come due.

The same code serves a virtual clock (deterministic, pictures arrive exactly `LATENCY_NS` late) and
the machine's clock (a busy camera skips a picture, a starved process skips time; both show as gaps
in `seq`). Knows clocks, cameras and limits; knows no world.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from recorders.clock import NS_PER_S, Clock
from recorders.streams import Batch
from studio.devices.interfaces import DeviceError, RobotInfo
from studio.sim.picture_thread import PictureThread, Snapshot

# Catching up costs a part of the time that is caught up; beyond this the station would wait.
MOST_CATCH_UP_NS = 100_000_000


class ClockedRobot(ABC):
    """A robot whose time is a clock's; add `connect`, `poll`, `send`, `hold` and `reset`.

    Args:
        clock: what it follows.
        rig: its cameras.
        camera_hz: how often they look.
        info: limits, model and streams.
        title: what messages call it.
        delay_ns: its cameras stamp a picture when it arrives, so long after it was taken; None:
            with the moment in which it was taken.

    Attributes:
        info: as given; readable before connecting.
        rig: the cameras and their thread.
        fault: see `RobotDriver`.
    """

    def __init__(self, clock: Clock, rig: PictureThread, camera_hz: float, info: RobotInfo,
                 title: str, delay_ns: int | None = None) -> None:
        self.rig, self.info, self.fault = rig, info, ""
        self._clock, self._camera_hz, self._title = clock, camera_hz, title
        self._delay_ns = delay_ns or 0
        self._connected = False
        self._origin_ns = 0         # when picture 0 is due
        self._captured = -1         # number of the last picture that came due

    @abstractmethod
    def hold(self) -> None:
        """Stay here."""

    def disconnect(self) -> None:
        """Hold the present position and end the cameras' thread."""
        if self._connected:
            self.hold()
            self.rig.stop()
            self._connected = False

    def _open(self) -> None:
        """Start the cameras and be connected.

        Raises:
            DeviceError: if it is connected, or if no picture can be drawn here.
        """
        if self._connected:
            raise DeviceError(f"{self._title} is connected already: disconnect it first")
        if self.rig.streams:
            self.rig.start()
        self._connected, self.fault = True, ""

    def _must_be_connected(self) -> None:
        if not self._connected:
            raise DeviceError(f"{self._title} is not connected: call connect() first")

    def _within_limits(self, target: np.ndarray) -> np.ndarray:
        """(D,) a target as it may be sent.

        Raises:
            DeviceError: if it has another shape or is not finite, or without a connection.
        """
        self._must_be_connected()
        target, names = np.asarray(target, float), self.info.joint_names
        if target.shape != (len(names),) or not np.isfinite(target).all():
            raise DeviceError(f"a target is {len(names)} finite numbers ({', '.join(names)}), not "
                              f"{target}: it was not sent")
        return np.clip(target, self.info.lower, self.info.upper)

    # -------------------------------------------------------------------------------------- time

    def _steps_to_skip(self, now_ns: int, stamp_ns: int, step_ns: int) -> int:
        """How many steps from `stamp_ns` on cannot be caught up; none under a virtual clock."""
        late_ns = now_ns - stamp_ns - MOST_CATCH_UP_NS
        return 0 if self._clock.virtual or late_ns <= 0 else -(-late_ns // step_ns)

    def _wall_minus_mono_ns(self) -> int:
        return self._clock.wall_ns() - self._clock.now_ns()

    # ---------------------------------------------------------------------------------- pictures

    def _begin_pictures(self, stamp_ns: int) -> None:
        """The first picture is due now."""
        self._origin_ns, self._captured = stamp_ns, -1

    def _picture_due(self, stamp_ns: int) -> bool:
        """Whether to take one: picture k at the first step at or after k periods, if it can be."""
        number = int((stamp_ns - self._origin_ns) * self._camera_hz) // NS_PER_S
        if not self.rig.streams or number <= self._captured:
            return False
        self._captured = number
        return self._clock.virtual or not self.rig.busy

    def _capture(self, stamp_ns: int, device_ns: int, state: Any) -> None:
        """Take the picture that is due, of a state that the rig can draw."""
        stamp_ns += self._delay_ns
        self.rig.capture(Snapshot(
            t_mono_ns=stamp_ns, t_wall_ns=stamp_ns + self._wall_minus_mono_ns(),
            t_device_ns=device_ns, seq=self._captured, state=state))

    def _collected(self, now_ns: int) -> list[Batch]:
        """The pictures that arrived; a camera that failed is a fault."""
        try:
            return self.rig.collect(now_ns, wait=self._clock.virtual)
        except DeviceError as error:
            self.fault = str(error)
            return []
