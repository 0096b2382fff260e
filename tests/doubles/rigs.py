"""A device with the hardware that it needs, held so that a test can push, pull and unplug it.

Every rig has the same few motions; the contract test drives them and knows no device. Time is the
device's: turned by hand, with the device's own rounds run in between.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from doubles.feetech_bus import FeetechBus, write_calibration
from doubles.hid_sockets import HidSocket
from doubles.remote_device import RemoteDevice
from doubles.virtual_pad import VirtualPad

from recorders.clock import ManualClock
from studio.devices.absent import AbsentTeleoperator
from studio.devices.gamepad import Gamepad
from studio.devices.interfaces import Teleoperator
from studio.devices.keyboard import KeyboardTeleop
from studio.devices.leader_mapping import LeaderConfig
from studio.devices.lerobot_leader import LerobotLeader
from studio.sim.operator import ScriptedOperator
from studio.sim.robot import SimRobot

STEP_MS = 10
NS_PER_MS = 1_000_000


class Rig(Protocol):
    """What the contract test needs."""

    pushable: bool          # somebody can deflect it
    lost_after_ms: int      # from pulling its cable to LOST; 0 for a device without a cable

    @property
    def device(self) -> Teleoperator:
        """The device under test."""
        ...

    def connect(self) -> None:
        """Connect the plugged device."""
        ...

    def rest(self) -> None:
        """Take the hand off."""
        ...

    def push(self) -> None:
        """Deflect fully, and go on doing so."""
        ...

    def unplug(self) -> None:
        """Pull the cable."""
        ...

    def replug(self) -> None:
        """Put it back."""
        ...

    def pass_ms(self, duration_ms: int) -> None:
        """Let time pass, the device doing its rounds."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class SpaceMouseRig:
    """pyspacemouse over the stand-in hidapi, in a process that can load it."""

    pushable, lost_after_ms = True, 100

    def __init__(self, folder: Path, library: Path | None) -> None:
        assert library is not None
        self._socket = HidSocket(folder, 0x256F, 0xC635)
        self._socket.plug()
        self.device = self._remote = RemoteDevice(library, folder)
        self._pushed, self._line_open = False, False

    def connect(self) -> None:
        again = self._remote.is_connected
        self._remote.connect()
        if not again:
            self._answer()

    def _answer(self) -> None:
        self._socket.opened()
        self._line_open = True

    def rest(self) -> None:
        self._pushed = False
        if self._line_open:
            self._socket.move()

    def push(self) -> None:
        self._pushed = True

    def unplug(self) -> None:
        self._socket.unplug()
        self._line_open = False

    def replug(self) -> None:
        self._pushed = False
        self._socket.plug()
        self._remote.call("poll")
        self._answer()

    def pass_ms(self, duration_ms: int) -> None:
        for _ in range(duration_ms // STEP_MS):
            if self._pushed and self._line_open:
                self._socket.move(y=-350)
            self._remote.call("advance", STEP_MS * NS_PER_MS)
            self._remote.call("poll")

    def close(self) -> None:
        self._remote.end()
        self._socket.unplug()


class GamepadRig:
    """pygame over a virtual joystick of SDL's own."""

    pushable, lost_after_ms = True, 100

    def __init__(self, folder: Path, library: Path | None) -> None:
        self._clock = ManualClock(NS_PER_MS)
        self._pad = VirtualPad()
        self._pad.plug()
        self.device = self._gamepad = Gamepad(self._clock, background=False)

    def connect(self) -> None:
        if not self._pad.plugged:       # disconnecting closes SDL, and its virtual pads with it
            self._pad.plug()
        self.device.connect()
        self._pad.release_triggers()

    def rest(self) -> None:
        self._pad.axis(1, 0.0)

    def push(self) -> None:
        self._pad.axis(1, -1.0)

    def unplug(self) -> None:
        self._pad.unplug()

    def replug(self) -> None:
        self._pad.plug()
        self._gamepad.poll()
        self._pad.release_triggers()

    def pass_ms(self, duration_ms: int) -> None:
        for _ in range(duration_ms // STEP_MS):
            self._clock.advance(STEP_MS * NS_PER_MS)
            if self.device.is_connected:
                self._gamepad.poll()

    def close(self) -> None:
        self.device.disconnect()
        self._pad.quit()


class KeyboardRig:
    """The keyboard with a console that repeats itself; unplugging is the console's death."""

    pushable, lost_after_ms = True, 200     # 150 ms of silence, and a round

    def __init__(self, folder: Path, library: Path | None) -> None:
        self._clock = ManualClock(NS_PER_MS)
        self.device = self._keyboard = KeyboardTeleop(self._clock)
        self._held: frozenset[str] = frozenset()
        self._alive = True

    def connect(self) -> None:
        self.device.connect()
        self.pass_ms(STEP_MS)

    def rest(self) -> None:
        self._held = frozenset()

    def push(self) -> None:
        self._held = frozenset({"w"})

    def unplug(self) -> None:
        self._alive = False

    def replug(self) -> None:
        self._alive, self._held = True, frozenset()

    def pass_ms(self, duration_ms: int) -> None:
        for _ in range(duration_ms // STEP_MS):
            self._clock.advance(STEP_MS * NS_PER_MS)
            if self._alive:
                self._keyboard.keys_held(self._held, self._clock.now_ns())

    def close(self) -> None:
        self.device.disconnect()


class LeaderRig:
    """LeRobot's own SO-101 leader on an emulated servo bus."""

    pushable, lost_after_ms = True, 100
    _ROUNDS = 400       # of at most 50 ms: how long a busy machine may take to notice

    def __init__(self, folder: Path, library: Path | None) -> None:
        self._clock = ManualClock(NS_PER_MS)
        self.bus = FeetechBus(folder / "port")
        self.bus.plug()
        write_calibration(folder)
        self.device = self._leader = LerobotLeader(self._clock, LeaderConfig(
            "so101_leader", {"port": str(folder / "port"), "id": "leader",
                             "calibration_dir": str(folder)}), background=False)
        self._position, self._pushed, self._plugged = 2000, False, True

    def connect(self) -> None:
        self.device.connect()

    def rest(self) -> None:
        self._pushed = False

    def push(self) -> None:
        self._pushed = True

    def unplug(self) -> None:
        self._plugged = False
        self.bus.unplug()
        self._until(lambda: bool(self._leader.fault))

    def replug(self) -> None:
        self._pushed, self._plugged = False, True
        self.bus.plug()
        self._until(lambda: not self._leader.fault)

    def _until(self, reached: Callable[[], bool]) -> None:
        """Listen until the process has said it: its time is the machine's, not ours."""
        for _ in range(self._ROUNDS):
            if reached():
                return
            self._leader.poll()
        raise AssertionError(f"the leader's process did not react; its fault: {self._leader.fault}")

    def pass_ms(self, duration_ms: int) -> None:
        for _ in range(duration_ms // STEP_MS):
            self._clock.advance(STEP_MS * NS_PER_MS)
            if not (self._plugged and self.device.is_connected):
                continue
            if self._pushed:
                # A hand turns the shoulder to and fro.
                self._position = 2400 if self._position < 2300 else 2200
                self.bus.place({1: self._position})
            heard_ns = self._clock.now_ns()
            self._until(lambda heard_ns=heard_ns: self.device.read().stamp_ns >= heard_ns)

    def close(self) -> None:
        self.device.disconnect()
        self.bus.unplug()


class ScriptedRig:
    """The scripted operator looking at the real simulator; pushed while it is told what it sees."""

    pushable, lost_after_ms = True, 0

    def __init__(self, folder: Path, library: Path | None) -> None:
        self._clock = ManualClock(NS_PER_MS)
        self._robot = SimRobot(self._clock, render=False)
        self._robot.connect()
        self._instruction = self._robot.reset("push-button", seed=0)
        self.device: Any = ScriptedOperator()
        self._pushed = False

    def connect(self) -> None:
        self.device.connect()
        self.pass_ms(STEP_MS)

    def rest(self) -> None:
        self._pushed = False

    def push(self) -> None:
        self._pushed = True

    def unplug(self) -> None:
        """It has no cable."""

    replug = unplug

    def pass_ms(self, duration_ms: int) -> None:
        for _ in range(duration_ms // STEP_MS):
            self._clock.advance(STEP_MS * NS_PER_MS)
            rows = {batch.stream: batch.rows[-1] for batch in self._robot.poll()}
            self.device.send_feedback({
                "stamp_ns": self._clock.now_ns(), "instruction": self._instruction,
                "task": "push-button", "rows": rows if self._pushed else {}})

    def close(self) -> None:
        self.device.disconnect()
        self._robot.disconnect()


class AbsentRig:
    """Nobody at the controls."""

    pushable, lost_after_ms = False, 0

    def __init__(self, folder: Path, library: Path | None) -> None:
        self._clock = ManualClock(NS_PER_MS)
        self.device: Any = AbsentTeleoperator(self._clock)

    def connect(self) -> None:
        self.device.connect()

    def rest(self) -> None:
        pass

    push = unplug = replug = close = rest

    def pass_ms(self, duration_ms: int) -> None:
        self._clock.advance(duration_ms * NS_PER_MS)
