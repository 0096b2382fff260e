"""What may reach the robot: every command, whoever it comes from, passes here.

One Ruckig instance, whose state is never reset while the arm is driven, bounds velocity,
acceleration and jerk in physical units across every change of owner. Before it, a wish is checked
(finite, joint limits, workspace) and its path slowed as a whole rather than clipped axis by axis
(path-consistent braking: PACS, arXiv 2511.06385). This is an operational limit, no safety device.

Knows the robot's limits; knows no device, no mode and no clock.
"""

import msgspec
import numpy as np
from ruckig import (
    ControlInterface,
    InputParameter,
    OutputParameter,
    Result,
    Ruckig,
    RuckigError,
    Synchronization,
)

from studio.devices.interfaces import RobotInfo
from studio.station.loop.kinematics import ArmKinematics
from studio.station.messages import Guard

FEEDFORWARD = 0.9        # of the velocity limit; Ruckig refuses a target faster than the limit
SPEED_BRAKE = 1.1        # of the tool's speed limit: beyond it the arm brakes whatever it is told
SPEED_SHOWN = 0.95       # … and within 5 % of it the limit counts as reached
AHEAD_S = 0.1            # of the wish's path: long enough to tell where it leads from noise
STOPPING = 0.7           # of the speed from which full deceleration stops in the room left: jerk
AT_REST = 1e-6           # rad/s and rad/s²: less is rounding


class SafetyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits beyond those that the robot declares."""

    joint_margin: float = 0.02
    """Distance kept from every joint limit, in rad."""
    workspace_low: tuple[float, float, float] = (0.15, -0.60, 0.005)
    """Lower corner of the box that the tool stays in, world frame, m."""
    workspace_high: tuple[float, float, float] = (0.85, 0.60, 0.75)
    """Upper corner of that box."""
    tool_speed_m_s: float = 0.5
    """Fastest motion of the tool."""
    force_n: float = 40.0
    """Wrist force at which motion stops and backs off."""
    force_release: float = 0.6
    """Share of `force_n` below which motion is allowed again."""
    observation_age_s: float = 0.1
    """Oldest arm sample on which the arm may move."""
    input_age_s: float = 0.1
    """Longest silence of whoever drives."""
    tracking_error: float = 0.35
    """Largest distance of command and measurement, in rad, …"""
    tracking_time_s: float = 0.3
    """… and for how long it is tolerated."""


def limits_for(info: RobotInfo, limits: SafetyLimits) -> SafetyLimits:
    """The same limits in the workspace that a robot declares for itself, if it does."""
    if info.workspace is None:
        return limits
    low, high = info.workspace
    return msgspec.structs.replace(limits, workspace_low=low, workspace_high=high)


class SafeCommand(msgspec.Struct, frozen=True):
    """What the robot is told in a tick.

    Attributes:
        position: (D,) rad, gripper 0..1.
        velocity: (D,) of that command.
        guards: what had to be done to the wish.
    """

    position: np.ndarray
    velocity: np.ndarray
    guards: Guard


class Motion(msgspec.Struct, frozen=True):
    """Where a command is and how it moves: (D,) each, in the robot's units."""

    position: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray

    @property
    def standing(self) -> bool:
        """Whether the command has come to rest."""
        return bool(np.all(np.abs(self.velocity) < AT_REST))


class MotionLimiter:
    """Joint wishes in, bounded commands out, once per tick."""

    def __init__(self, info: RobotInfo, limits: SafetyLimits, kinematics: ArmKinematics,
                 dt_s: float) -> None:
        self._limits, self._kinematics, self._dt_s = limits, kinematics, dt_s
        margin = np.full(len(info.joint_names), limits.joint_margin)
        margin[-1] = 0.0                                    # a gripper may close fully
        self._lower, self._upper = np.array(info.lower) + margin, np.array(info.upper) - margin
        self._low, self._high = np.array(limits.workspace_low), np.array(limits.workspace_high)
        self._max_velocity, self._max_jerk = np.array(info.max_velocity), np.array(info.max_jerk)
        self._max_acceleration = np.array(info.max_acceleration)
        d = len(info.joint_names)
        self._otg, self._out = Ruckig(d, dt_s), OutputParameter(d)
        self._in = InputParameter(d)
        self._in.max_acceleration = list(info.max_acceleration)
        self._in.max_jerk = list(info.max_jerk)
        # The arm keeps its path when slowed; the gripper goes its own way.
        self._in.per_dof_synchronization = [Synchronization.Time] * (d - 1) + [Synchronization.No]
        self._last_wish = np.array(info.home)
        self.position, self.velocity = np.array(info.home), np.zeros(d)

    def start_from(self, position: np.ndarray) -> None:
        """Begin at a measured posture, standing still: the first command equals it."""
        self.position, self.velocity = position.copy(), np.zeros_like(position)
        self._last_wish = position.copy()
        self._in.current_position = list(position)
        self._in.current_velocity = [0.0] * len(position)
        self._in.current_acceleration = [0.0] * len(position)

    @property
    def standing(self) -> bool:
        """Whether the command has come to rest."""
        return bool(np.all(np.abs(self.velocity) < AT_REST))

    @property
    def motion(self) -> Motion:
        """As of the last step."""
        return Motion(self.position, self.velocity, np.array(self._in.current_acceleration))

    def resume(self, motion: Motion) -> None:
        """Go on from another moment's motion, because the world was taken back to it."""
        self.start_from(motion.position)
        self.velocity = motion.velocity.copy()
        self._in.current_velocity = list(motion.velocity)
        self._in.current_acceleration = list(motion.acceleration)

    def step(self, wish: np.ndarray | None, *, speed_scale: float = 1.0) -> SafeCommand:
        """One tick towards a wish (D,), or braking to a stop for None.

        Args:
            wish: one that is not finite or of the wrong shape counts as none.
            speed_scale: of every velocity limit, (0, 1].
        """
        guards = Guard.NONE
        if wish is not None and (np.shape(wish) != self.position.shape
                                 or not np.all(np.isfinite(wish))):
            wish, guards = None, Guard.REJECTED
        if wish is None:
            self._last_wish = self.position.copy()
            return self._advance_stopping(guards)
        clamped = np.clip(wish, self._lower, self._upper)
        if np.any(clamped != wish):
            guards |= Guard.JOINT_LIMIT
        inside = self._inside_workspace(clamped)
        if inside is not clamped:
            guards |= Guard.WORKSPACE
        velocity_limit = self._max_velocity * speed_scale
        feedforward = (inside - self._last_wish) / self._dt_s
        self._last_wish = inside
        if np.any(jumps := np.abs(feedforward) > velocity_limit):    # no velocity to follow
            guards |= Guard.RATE_LIMITED
            feedforward = np.where(jumps, 0.0, feedforward)
        if self._at_rest() and np.all(np.abs(inside - self.position) < AT_REST):
            return self._advance_stopping(guards)
        slowed = self._tool_speed_limit(inside + feedforward * AHEAD_S, velocity_limit)
        coming = self._coming_tool_speed() / self._limits.tool_speed_m_s
        if slowed < 1.0 and coming > SPEED_SHOWN:
            guards |= Guard.TOOL_SPEED
        if coming > SPEED_BRAKE:
            return self._advance_stopping(guards)
        return self._follow(inside, feedforward, velocity_limit * slowed, guards)

    def _inside_workspace(self, wish: np.ndarray) -> np.ndarray:
        """The wish, or the farthest point towards it whose tool is still inside the box.

        A tool that is outside already may move inwards.
        """
        if self._outside(wish) <= 0.0:
            return wish
        allowed = max(self._outside(self.position), 0.0)
        low, high = 0.0, 1.0
        for _ in range(6):                                  # 1/64 of one tick's step
            middle = (low + high) / 2
            tried = self.position + middle * (wish - self.position)
            low, high = (middle, high) if self._outside(tried) <= allowed else (low, middle)
        held = self.position + low * (wish - self.position)
        held[-1] = wish[-1]
        return held

    def _outside(self, position: np.ndarray) -> float:
        """How far the tool is outside the box, in m; negative inside."""
        tool = self._kinematics.forward(position)[:3]
        return float(np.max(np.maximum(self._low - tool, tool - self._high)))

    def _tool_speed_limit(self, wish: np.ndarray, velocity_limit: np.ndarray) -> float:
        """The factor by which all joints slow down so that the tool keeps to its speed limit."""
        step = wish - self.position
        step[-1] = 0.0
        fastest = float(np.max(np.abs(step) / velocity_limit))
        if fastest < 1e-9:
            return 1.0
        speed = self._kinematics.tool_speed(self.position, step / fastest)
        return min(1.0, self._limits.tool_speed_m_s / max(speed, 1e-9))

    def _at_rest(self) -> bool:
        accelerating = np.abs(np.array(self._in.current_acceleration)) > AT_REST
        return self.standing and not np.any(accelerating)

    def _coming_tool_speed(self) -> float:
        """The tool's speed once the present acceleration has been taken back as jerk allows."""
        acceleration = np.array(self._in.current_acceleration)
        coming = self.velocity + acceleration * np.abs(acceleration) / (2 * self._max_jerk)
        return self._kinematics.tool_speed(self.position, coming)

    def _follow(self, wish: np.ndarray, feedforward: np.ndarray, velocity_limit: np.ndarray,
                guards: Guard) -> SafeCommand:
        """One tick towards being where the wish is *and* as fast as it is.

        Ruckig plans to a target that stands still; seen from beside a wish that moves evenly, it
        does. (Planning to the wish's place with its velocity would lag by 90 ms, and turn back for
        a run-up wherever the arm is a millimetre ahead.)
        """
        room = np.minimum(wish - self._lower, self._upper - wish)     # to be able to stop in it
        bound = np.minimum(FEEDFORWARD * velocity_limit,
                           STOPPING * np.sqrt(2 * self._max_acceleration * np.maximum(room, 0.0)))
        drift = np.clip(feedforward, -bound, bound)
        before, acceleration = (self.position, self.velocity), list(self._in.current_acceleration)
        self._in.control_interface = ControlInterface.Position
        self._in.current_position = list(self.position - (wish - drift * self._dt_s))
        self._in.current_velocity = list(self.velocity - drift)
        self._in.max_velocity = list(velocity_limit - drift)
        self._in.min_velocity = list(-velocity_limit - drift)
        self._in.target_position = self._in.target_velocity = [0.0] * len(wish)
        done = self._update(guards)
        if done is not None:
            self.position, self.velocity = done.position + wish, done.velocity + drift
            acceleration = list(self._in.current_acceleration)
        else:
            self.position, self.velocity = before
        self._in.min_velocity = None
        self._in.current_position, self._in.current_velocity = (list(self.position),
                                                                list(self.velocity))
        self._in.current_acceleration = acceleration
        if done is None:
            return self._advance_stopping(guards)
        return SafeCommand(self.position, self.velocity, guards)

    def _advance_stopping(self, guards: Guard) -> SafeCommand:
        if self._at_rest():                                 # exactly: rounding must not creep
            self.start_from(self.position)
            return SafeCommand(self.position, self.velocity, guards)
        self._in.control_interface = ControlInterface.Velocity
        self._in.max_velocity = list(self._max_velocity)
        self._in.target_velocity = [0.0] * len(self.position)
        return self._update(guards) or SafeCommand(self.position, self.velocity, guards)

    def _update(self, guards: Guard) -> SafeCommand | None:
        """Apply Ruckig's next step, or nothing: steps of a few nanoradians it may fail to time."""
        self._in.target_acceleration = [0.0] * len(self.position)
        if not self._calculated() and not self._calculated(anew=True):
            return None
        self.position = np.array(self._out.new_position)
        self.velocity = np.array(self._out.new_velocity)
        self._out.pass_to_input(self._in)
        return SafeCommand(self.position, self.velocity, guards)

    def _calculated(self, *, anew: bool = False) -> bool:
        """Whether Ruckig found a step that the arm can make.

        Once in some ten thousand ticks it gave a joint a place a radian away, and went on to; with
        nothing remembered it finds the right one.
        """
        if anew:
            self._otg, self._out = (Ruckig(len(self.position), self._dt_s),
                                    OutputParameter(len(self.position)))
        try:
            result = self._otg.update(self._in, self._out)
        except RuckigError:
            return False
        here, speed = np.array(self._in.current_position), np.array(self._in.current_velocity)
        return result in (Result.Working, Result.Finished) and not leaps(
            np.array(self._out.new_position) - here - speed * self._dt_s,
            np.array(self._out.new_velocity) - speed, self._max_acceleration, self._dt_s)


def leaps(beside: np.ndarray, gained: np.ndarray, max_acceleration: np.ndarray, dt_s: float
          ) -> bool:
    """Whether a step that leads `beside` (D,) where its first velocity leads, and changes that by
    `gained` (D,), cannot come of any acceleration that is allowed (D,)."""
    return bool(np.any(np.abs(beside) > max_acceleration * dt_s**2)
                or np.any(np.abs(gained) > 2.0 * max_acceleration * dt_s))
