"""What scripted teleoperators have in common: a hand at a SpaceMouse that is not there.

Who fills it in says what the tool shall do; here that becomes the axes that a person would press
for it, with the hand's inertia and, if it is told to err, its errors, the clean command going along
as a label. Knows a device's axes and the station's mapping of them; knows no scene and no task.
LeRobot-shaped without importing LeRobot.
"""

import numpy as np

from recorders.clock import NS_PER_S
from studio.devices.interfaces import DeviceStatus, HumanInput, idle_input
from studio.devices.mapping import (
    RAW_WIDTH,
    TWIST_ACTION,
    AxisMapping,
    twist_action,
    twist_of,
)
from studio.sim.human_errors import ErringHand, Errors


class ScriptedTeleoperator:
    """A teleoperator that a program drives; add `feedback_features` and `send_feedback`.

    Args:
        errors: how it errs; None is a perfect hand without corrective labels.
        seed: of its errors, until an episode begins with its own.
        mapping: from axes to twist; it presses what gives the twist that it wants.
        inertia_s: from rest to full deflection.
        at_rest: share of full deflection below which the hand lets go.
    """

    def __init__(self, errors: Errors | None, seed: int, mapping: AxisMapping, *,
                 inertia_s: float, at_rest: float) -> None:
        self._errors, self._seed, self._mapping = errors, seed, mapping
        self._inertia_s, self._at_rest = inertia_s, at_rest
        self._connected = False
        self._input = idle_input(0, DeviceStatus.OFF)

    @property
    def action_features(self) -> dict[str, type]:
        """Names and types in `get_action`'s dictionary."""
        return dict(TWIST_ACTION)

    @property
    def is_connected(self) -> bool:
        """Whether it is at its desk."""
        return self._connected

    def connect(self) -> None:
        """Sit down; forgets what it did before."""
        self._connected = True
        self.begin(self._seed)

    def begin(self, seed: int) -> None:
        """Start an episode afresh: errors from this seed, nothing remembered of the last one."""
        self._rng = np.random.default_rng(seed)
        self._hand = None if self._errors is None else ErringHand(self._errors, self._rng)
        self._stamp_ns: int | None = None
        self._clean = np.zeros(6)       # deflection of the last tick, without its errors

    def disconnect(self) -> None:
        """Let go."""
        self._connected = False
        self._input = idle_input(self._input.stamp_ns, DeviceStatus.OFF)

    def read(self) -> HumanInput:
        """What the hand does, as of the last feedback."""
        return self._input

    def get_action(self) -> dict[str, float]:
        """LeRobot's view of `read`."""
        return twist_action(self._input, 1.0)

    def _since_last_s(self, stamp_ns: int) -> float:
        """Seconds since this was last asked in this episode, 0 at first."""
        since_s = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) / NS_PER_S
        self._stamp_ns = stamp_ns
        return since_s

    def _press(self, twist: np.ndarray, gripper: float, stamp_ns: int,
               since_s: float, braced: bool = False) -> HumanInput:
        """One tick of the hand.

        Args:
            twist: (6,) m/s and rad/s wanted of the tool, world frame.
            gripper: opening wanted, 0..1.
            stamp_ns: of the tick.
            since_s: since the last one.
            braced: against something that does not give way, where the hand does not err.
        """
        wanted = deflections_for(twist, self._mapping)
        wanted[np.abs(wanted) < self._at_rest] = 0.0
        step = since_s / self._inertia_s
        clean = self._clean = self._clean + np.clip(wanted - self._clean, -step, step)
        given, corrective = clean, None
        if self._hand is not None:
            given = self._hand.disturb(clean, since_s, braced)
            corrective = np.append(twist_of(clean, self._mapping), gripper)
        pressed = twist_of(given, self._mapping)
        return HumanInput(stamp_ns, DeviceStatus.OK, axes_for(given, self._mapping), 0,
                          enabled=bool(np.any(pressed)), twist=pressed, gripper=gripper,
                          corrective=corrective)


def deflections_for(twist: np.ndarray, mapping: AxisMapping) -> np.ndarray:
    """(6,) deflections in -1..1 that the mapping turns into a twist, or as near as it can."""
    travel = np.linspace(0.0, 1.0, 201)
    reached = (1.0 - mapping.expo) * travel + mapping.expo * travel**3
    scale = np.asarray(mapping.scale)
    share = np.abs(twist) / np.where(scale > 0.0, scale, np.inf)
    return np.sign(twist) * np.interp(share, reached, travel)


def axes_for(deflection: np.ndarray, mapping: AxisMapping) -> np.ndarray:
    """(8,) raw axes that the mapping reads as these deflections."""
    axes = np.zeros(RAW_WIDTH)
    travel = mapping.dead_zone + np.abs(deflection) * (1.0 - mapping.dead_zone)
    axes[list(mapping.source)] = np.sign(deflection) * travel * np.asarray(mapping.sign)
    return axes
