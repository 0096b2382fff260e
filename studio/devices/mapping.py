"""From a device's axes and buttons to a tool twist, a clutch and a gripper: pure functions.

Knows dead zones, response curves, hysteresis and who holds which button. Refuses to know any
device, any thread and any clock: stamps come in as arguments, states are frozen and returned.

Letters: six *deflections* vx vy vz wx wy wz in -1..1, REP 103 (x forward, y left, z up).
Hysteresis of the clutch after LazyDAgger's lesson (arXiv 2104.00053): one threshold chatters.
"""

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from studio.devices.interfaces import DeviceError, DeviceStatus, HumanInput, idle_input

AXES = ("vx", "vy", "vz", "wx", "wy", "wz")
RAW_WIDTH = 8
_NS_PER_MS = 1_000_000

TWIST_ACTION: dict[str, type] = {name: float for name in (*AXES, "gripper", "enabled")}
"""`action_features` of every device that speaks in twists."""


@dataclass(frozen=True)
class AxisMapping:
    """Which device axis drives which part of the twist, and how strongly."""

    source: tuple[int, int, int, int, int, int] = (0, 1, 2, 3, 4, 5)
    """The device axis (0..7) that feeds vx, vy, vz, wx, wy, wz."""
    sign: tuple[int, int, int, int, int, int] = (1, 1, 1, 1, 1, 1)
    """1 or -1 for each part of the twist; -1 reverses it."""
    scale: tuple[float, float, float, float, float, float] = (0.25, 0.25, 0.25, 0.8, 0.8, 0.8)
    """Speed at full deflection: m/s for the first three, rad/s for the others; 0 locks an axis."""
    dead_zone: float = 0.05
    """Deflection below which an axis counts as at rest; the rest of the travel is rescaled."""
    expo: float = 0.0
    """0 is a linear response, 1 a cubic one: fine near the middle, full speed at the end."""

    def __post_init__(self) -> None:
        if any(index not in range(RAW_WIDTH) for index in self.source):
            raise DeviceError(f"axis source {self.source} is not valid: use six numbers in 0..7")
        if any(sign not in (1, -1) for sign in self.sign):
            raise DeviceError(f"axis sign {self.sign} is not valid: use six of 1 and -1")
        if any(not math.isfinite(s) or s < 0 for s in self.scale):
            raise DeviceError(f"axis scale {self.scale} is not valid: use six finite numbers >= 0")
        if not 0 <= self.dead_zone < 1:
            raise DeviceError(f"dead zone {self.dead_zone} is not valid: use 0 up to below 1")
        if not 0 <= self.expo <= 1:
            raise DeviceError(f"expo {self.expo} is not valid: use a number in 0..1")


@dataclass(frozen=True)
class ClutchRule:
    """When a person counts as driving. Deflections are taken after the dead zone, before expo."""

    enter: float = 0.08
    """A deflection above this counts as meant."""
    enter_samples: int = 2
    """So many samples in a row must be meant before the clutch engages: one alone is noise."""
    leave: float = 0.03
    """A deflection below this counts as let go."""
    leave_ms: float = 300.0
    """So long must the device be let go before the clutch opens."""
    button: int = -1
    """Bit of a button to be held as a dead-man instead of all of the above; -1 for none."""


@dataclass(frozen=True)
class GripperRule:
    """Which buttons move the gripper."""

    close_button: int = 0
    """Bit of the button that closes the gripper."""
    open_button: int = 1
    """Bit of the button that opens the gripper."""
    toggle: bool = False
    """With toggle, each press of the close button alternates between closing and opening."""
    hold_ms: float = 50.0
    """How long a press is reported at least, so that a short one never falls between two ticks."""


@dataclass(frozen=True)
class DeviceMapping:
    """How one device's axes and buttons are understood."""

    axes: AxisMapping = AxisMapping()
    """Axes to tool velocity."""
    clutch: ClutchRule = ClutchRule()
    """When the person counts as driving."""
    gripper: GripperRule = GripperRule()
    """Buttons to gripper opening."""


class ClutchState(msgspec.Struct, frozen=True):
    """What the clutch remembers between samples."""

    engaged: bool = False
    meant_samples: int = 0
    quiet_since_ns: int | None = None


class GripperState(msgspec.Struct, frozen=True):
    """What the gripper remembers between samples."""

    wanted: float = 1.0             # the last opening asked for; 1 (open) before any
    pressed: bool = False           # a gripper button is held now
    until_ns: int | None = None     # a released press is reported up to here


class ControlState(msgspec.Struct, frozen=True):
    """A device's axes and buttons with everything that depends on their history.

    Attributes:
        stamp_ns: of the newest sample.
        axes: (8,) as reported, -1..1, zero padded.
        buttons: bit i is button i.
    """

    stamp_ns: int
    axes: np.ndarray
    buttons: int = 0
    clutch: ClutchState = ClutchState()
    gripper: GripperState = GripperState()


def at_rest(stamp_ns: int, gripper_wanted: float = 1.0) -> ControlState:
    """The state of a device that has said nothing yet."""
    return ControlState(stamp_ns, np.zeros(RAW_WIDTH), gripper=GripperState(gripper_wanted))


def bounded_axes(values: Any) -> np.ndarray:
    """(8,) axes in -1..1 from up to eight reported ones; what is not finite counts as at rest."""
    axes = np.zeros(RAW_WIDTH)
    given = np.asarray(values, dtype=float)[:RAW_WIDTH]
    axes[: len(given)] = np.clip(np.nan_to_num(given, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)
    return axes + 0.0   # no negative zeros: rest looks like rest


def deflections(axes: np.ndarray, mapping: AxisMapping) -> np.ndarray:
    """(6,) deflections after order, sign and dead zone: 0 inside it, ±1 at full travel."""
    picked = axes[list(mapping.source)] * np.asarray(mapping.sign, dtype=float)
    travel = (np.abs(picked) - mapping.dead_zone) / (1.0 - mapping.dead_zone)
    return np.sign(picked) * np.clip(travel, 0.0, 1.0)


def twist_of(deflection: np.ndarray, mapping: AxisMapping) -> np.ndarray:
    """(6,) m/s and rad/s from six deflections."""
    curved = (1.0 - mapping.expo) * deflection + mapping.expo * deflection**3
    return curved * np.asarray(mapping.scale)


def clutch_held(state: ClutchState, rule: ClutchRule, now_ns: int) -> bool:
    """Whether the clutch is engaged now; it opens by the mere passing of quiet time."""
    if not state.engaged or state.quiet_since_ns is None:
        return state.engaged
    return now_ns - state.quiet_since_ns < rule.leave_ms * _NS_PER_MS


def next_clutch(
    state: ClutchState, rule: ClutchRule, largest: float, buttons: int, stamp_ns: int
) -> ClutchState:
    """The clutch after a sample whose largest deflection is given."""
    if rule.button >= 0:
        return ClutchState(engaged=bool(buttons >> rule.button & 1))
    if not clutch_held(state, rule, stamp_ns):
        meant = (0 if state.engaged else state.meant_samples) + 1 if largest > rule.enter else 0
        return ClutchState(engaged=meant >= rule.enter_samples, meant_samples=meant)
    if largest >= rule.leave:
        return ClutchState(engaged=True)
    since_ns = stamp_ns if state.quiet_since_ns is None else state.quiet_since_ns
    return ClutchState(engaged=True, quiet_since_ns=since_ns)


def next_gripper(
    state: GripperState, rule: GripperRule, before: int, buttons: int, stamp_ns: int
) -> GripperState:
    """The gripper after a sample; `before` and `buttons` are the button bits of two samples.

    Both buttons at once ask for nothing: nobody can mean that.
    """
    closing = bool(buttons >> rule.close_button & 1)
    opening = bool(buttons >> rule.open_button & 1) and not rule.toggle
    fresh = buttons & ~before
    if closing == opening:
        return msgspec.structs.replace(state, pressed=False)
    started = bool(fresh >> (rule.close_button if closing else rule.open_button) & 1)
    if rule.toggle:
        wanted = 1.0 - state.wanted if started else state.wanted
    else:
        wanted = 0.0 if closing else 1.0
    until_ns = stamp_ns + int(rule.hold_ms * _NS_PER_MS) if started else state.until_ns
    return GripperState(wanted, pressed=True, until_ns=until_ns)


def gripper_asked(state: GripperState, now_ns: int) -> float | None:
    """The opening that is being asked for now, or None."""
    shown = state.pressed or (state.until_ns is not None and now_ns < state.until_ns)
    return state.wanted if shown else None


def next_state(
    state: ControlState, axes: np.ndarray, buttons: int, stamp_ns: int, mapping: DeviceMapping
) -> ControlState:
    """The device's state after one sample of its axes (8,) and button bits."""
    largest = float(np.max(np.abs(deflections(axes, mapping.axes))))
    return ControlState(
        stamp_ns, axes, buttons,
        next_clutch(state.clutch, mapping.clutch, largest, buttons, stamp_ns),
        next_gripper(state.gripper, mapping.gripper, state.buttons, buttons, stamp_ns),
    )


def human_input(state: ControlState, mapping: DeviceMapping, now_ns: int) -> HumanInput:
    """What a healthy device asks for now: no twist unless the clutch is held."""
    enabled = clutch_held(state.clutch, mapping.clutch, now_ns)
    deflection = deflections(state.axes, mapping.axes) if enabled else np.zeros(6)
    return HumanInput(
        state.stamp_ns, DeviceStatus.OK, state.axes.copy(), state.buttons, enabled,
        twist_of(deflection, mapping.axes), gripper=gripper_asked(state.gripper, now_ns),
    )


def is_deflected(state: ControlState, mapping: DeviceMapping) -> bool:
    """Whether any axis is outside its dead zone."""
    return bool(np.any(deflections(state.axes, mapping.axes)))


def unless_silent(
    state: ControlState, mapping: DeviceMapping, now_ns: int, silence_ms: float
) -> HumanInput:
    """Like `human_input`, but a deflected device that fell silent is STALE and asks for nothing.

    A device at rest may be silent for ever; a deflected one reports all the time.
    """
    age_ns = now_ns - state.stamp_ns
    if age_ns > silence_ms * _NS_PER_MS and is_deflected(state, mapping):
        return idle_input(state.stamp_ns, DeviceStatus.STALE)
    return human_input(state, mapping, now_ns)


def twist_action(reading: HumanInput, gripper_wanted: float) -> dict[str, float]:
    """LeRobot's flat dictionary of an input; the gripper keeps the last opening asked for."""
    gripper = gripper_wanted if reading.gripper is None else reading.gripper
    values = (*reading.twist, gripper, float(reading.enabled))
    return {name: float(value) for name, value in zip(TWIST_ACTION, values, strict=True)}
