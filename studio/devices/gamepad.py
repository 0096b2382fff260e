"""A gamepad as a teleoperator with all six degrees of freedom.

    left stick      forward/back, left/right        left, right trigger     down, up
    right stick     pitch (up: nose down), yaw      left, right bumper      roll left, right
    A (cross)       close the gripper               B (circle)              open the gripper
    D-pad up/down   up, down as well, for pads whose triggers are mere buttons

Knows what the sticks mean and what to do when the pad is gone. Refuses to know SDL (`sdl_pad`) and
the robot.
"""

from dataclasses import dataclass

from recorders.clock import Clock
from studio.devices.axes_device import AxesDevice
from studio.devices.interfaces import DeviceError
from studio.devices.mapping import AxisMapping, DeviceMapping
from studio.devices.reader import RETRY_S
from studio.devices.sdl_pad import GamepadLayout, SdlPad, Sticks

GAMEPAD_MAPPING = DeviceMapping(axes=AxisMapping(dead_zone=0.12))   # worn sticks rest at up to 0.1
POLL_S = 0.004
_OPEN_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class GamepadConfig:
    """Which gamepad, and how it is understood."""

    pad: str = ""
    """Part of the pad's name or its GUID; empty takes the first that is found."""
    layout: GamepadLayout | None = None
    """Numbers of axes and buttons; without it SDL's table of pads decides, and for a pad that is
    not in it the numbers of Xbox and PlayStation pads on Linux."""
    mapping: DeviceMapping = GAMEPAD_MAPPING
    """Axes, clutch and gripper buttons (A closes, B opens)."""
    silence_ms: float = 100.0
    """A deflected pad whose thread has not looked for so long counts as stale."""


def ros_axes(sticks: Sticks) -> tuple[float, ...]:
    """x y z roll pitch yaw, REP 103; sticks count right and down as positive."""
    return (-sticks.left_y, -sticks.left_x, sticks.right_trigger - sticks.left_trigger + sticks.hat,
            sticks.roll, -sticks.right_y, -sticks.right_x)


class Gamepad(AxesDevice):
    """A gamepad of any make that SDL knows."""

    name = "gamepad"

    def __init__(
        self, clock: Clock, config: GamepadConfig = GamepadConfig(), *, background: bool = True
    ) -> None:
        """Prepare, without touching SDL.

        Args:
            clock: stamps what is read.
            config: which pad and which mapping.
            background: read in a thread; without it the owner calls `poll` itself.
        """
        super().__init__(clock, config.mapping, silence_ms=config.silence_ms, background=background)
        self._config = config
        self._pad: SdlPad | None = None

    def _open(self) -> None:
        self._open_by_polling("SDL does not answer: run `tandem doctor`", round_s=_OPEN_TIMEOUT_S)

    def poll(self) -> float:
        """One round of the reader: take the newest state, or look for a lost pad.

        Returns:
            The pause in s until the next round.
        """
        if self._pad is None:
            self._pad = SdlPad(self._config.pad, self._config.layout)
        if self._lost:
            return self._look_for_it(self._pad)
        sticks = self._pad.read()
        if sticks is None:
            self._lose("the gamepad is unplugged: replug it")
            return RETRY_S
        self._take(ros_axes(sticks), sticks.buttons, self._clock.now_ns())
        return POLL_S

    def _look_for_it(self, pad: SdlPad) -> float:
        try:
            pad.open()
        except DeviceError as error:
            self.fault = str(error)
            return RETRY_S
        self._found()
        return 0.0

    def _release(self) -> None:
        pad, self._pad = self._pad, None
        if pad:
            pad.close()
