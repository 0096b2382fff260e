"""The SpaceMouse as a teleoperator: six axes under one hand, two buttons, one light.

Knows how a SpaceMouse behaves: it is silent at rest, speaks about every 8 ms while deflected, may
be unplugged at any moment and may come back under another path. Refuses to know the robot.
A reader thread drains it to the newest report; `read` only looks at what that thread left.
The light says that the human owns the arm: `send_feedback({"led": True})`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recorders.clock import Clock
from studio.devices.axes_device import AxesDevice
from studio.devices.interfaces import DeviceError
from studio.devices.mapping import DeviceMapping
from studio.devices.reader import RETRY_S
from studio.devices.spacemouse_port import (
    HidInterface,
    SpaceMouseGone,
    SpaceMousePort,
    list_spacemice,
)

SPACEMOUSE_MAPPING = DeviceMapping()
POLL_S = 0.004  # half of the device's report period: at most half a report late


@dataclass(frozen=True)
class SpaceMouseConfig:
    """Which SpaceMouse, and how it is understood."""

    path: str = ""
    """HID path such as /dev/hidraw3; empty takes the first that is found."""
    interface: int = -1
    """USB interface number, for a receiver that shows several; -1 chooses."""
    mapping: DeviceMapping = SPACEMOUSE_MAPPING
    """Axes, clutch and gripper buttons (left closes, right opens)."""
    silence_ms: float = 60.0
    """A deflected device that says nothing for so long counts as stale."""


class SpaceMouse(AxesDevice):
    """A SpaceMouse of any model that pyspacemouse knows."""

    name = "spacemouse"

    def __init__(
        self,
        clock: Clock,
        config: SpaceMouseConfig = SpaceMouseConfig(),
        *,
        background: bool = True,
        find: Callable[[], list[HidInterface]] = list_spacemice,
    ) -> None:
        """Prepare, without touching the device.

        Args:
            clock: stamps what arrives.
            config: which device and which mapping.
            background: read in a thread; without it the owner calls `poll` itself.
            find: lists what is plugged in.
        """
        super().__init__(clock, config.mapping, silence_ms=config.silence_ms, background=background)
        self._config = config
        self._find = find
        self._port: SpaceMousePort | None = None
        self._known: HidInterface | None = None     # the device to look for after an unplug
        self._led_wanted = False
        self._led_shown: bool | None = None         # None: the device has not been told yet

    @property
    def feedback_features(self) -> dict[str, Any]:
        """The light."""
        return {"led": bool}

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """Set the light with `led`; other keys are for other devices."""
        if "led" in feedback:
            self._led_wanted = bool(feedback["led"])

    def poll(self) -> float:
        """One round of the reader: drain to the newest report, or look for a lost device.

        Returns:
            The pause in s until the next round.
        """
        if self._port is None:
            return self._look_for_it()
        try:
            reports = self._port.drain()
        except SpaceMouseGone as error:
            self._lose(f"SpaceMouse at {self._port.interface.path} is gone ({error}): replug it")
            return RETRY_S
        now_ns = self._clock.now_ns()
        for report in reports:
            self._take(report.axes, report.buttons, now_ns)
        self.last_report = self._port.last_bytes.hex(" ")
        if not reports:
            self._take_silence(now_ns)
        if self._led_wanted != self._led_shown:
            self._port.set_led(self._led_wanted)
            self._led_shown = self._led_wanted
        return POLL_S

    def _open(self) -> None:
        self._open_port()
        if self._reader:
            self._reader.start()

    def _look_for_it(self) -> float:
        try:
            self._open_port()
        except DeviceError as error:
            self.fault = str(error)
            return RETRY_S
        return POLL_S

    def _choose(self) -> HidInterface:
        """The interface to open: by the known path, then by the known identity, then by config."""
        found = self._find()
        if self._known:
            again = [i for i in found if i.same_device(self._known)]
            again.sort(key=lambda i: i.path != self._known.path if self._known else False)
            if again:
                return again[0]
            raise DeviceError(f"SpaceMouse at {self._known.path} is unplugged: replug it")
        wanted = [
            i for i in found
            if self._config.path in ("", i.path) and self._config.interface in (-1, i.interface)
        ]
        if wanted:
            return wanted[0]
        seen = ", ".join(f"{i.path} (interface {i.interface})" for i in found)
        if seen:
            raise DeviceError(
                f"no SpaceMouse at path '{self._config.path}' interface "
                f"{self._config.interface}: valid are {seen}")
        raise DeviceError("no SpaceMouse is plugged in: plug it in, or run `tandem doctor`")

    def _open_port(self) -> None:
        interface = self._choose()
        self._port = SpaceMousePort(interface)
        self._known = interface
        self._led_shown = None if self._led_wanted else False
        self._found()

    def _lose(self, reason: str) -> None:
        super()._lose(reason)
        self._close_port()      # a vanished device is opened anew

    def _release(self) -> None:
        if self._port and self._led_shown:
            self._port.set_led(False)
        self._close_port()

    def _close_port(self) -> None:
        port, self._port = self._port, None
        if port:
            port.close()
