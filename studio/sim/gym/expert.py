"""An environment's own expert, as a teleoperator that does what a person at a SpaceMouse would.

It looks only at the recorded rows, asks the skill of the task what to do, and presses the axes that
ask the station for it. It can be told to err like a person; the clean command then goes along as a
label. Knows skills by the robot's and the task's name; knows no environment and no station.
"""

from typing import Any

import numpy as np

from recorders.clock import NS_PER_S, Clock
from studio.devices.interfaces import DeviceError, DeviceStatus, HumanInput, idle_input
from studio.devices.mapping import TWIST_ACTION, AxisMapping, twist_action, twist_of
from studio.sim.gym.catalog import open_skill
from studio.sim.gym.world import Skill
from studio.sim.human_errors import CLUMSY, PERTURBED, ErringHand, Errors
from studio.sim.operator import axes_for, deflections_for

# As fast as the station lets a tool move; a gantry does not turn.
MAPPING = AxisMapping(scale=(0.5, 0.5, 0.5, 0.0, 0.0, 0.0))
HAND_S = 0.1                    # from rest to full deflection: a hand has inertia
AT_REST = 0.004                 # of full deflection; below it a hand lets go
# A hand that is held up is not told to go ever further: the station stops an arm 0.35 m off.
LEAD_M = 0.2


class GymExpert:
    """Drives an environment's hand as its expert says.

    Args:
        robot: the environment, as after `--robot`.
        errors: how it errs; None is a perfect hand without corrective labels.
        seed: of its errors, until an episode begins with its own.

    Attributes:
        problem: empty, or why it does nothing.
    """

    name = "expert"

    def __init__(self, robot: str, errors: Errors | None = None, seed: int = 0) -> None:
        self._robot, self._errors, self._seed = robot, errors, seed
        self._connected = False
        self._input = idle_input(0, DeviceStatus.OFF)
        self.begin(seed)

    @property
    def action_features(self) -> dict[str, type]:
        """Names and types in `get_action`'s dictionary."""
        return dict(TWIST_ACTION)

    @property
    def feedback_features(self) -> dict[str, type]:
        """What `send_feedback` needs every tick."""
        return {"stamp_ns": int, "task": str, "rows": dict}

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
        rng = np.random.default_rng(seed)
        self._hand = None if self._errors is None else ErringHand(self._errors, rng)
        self._stamp_ns: int | None = None
        self._clean = np.zeros(6)       # deflection of the last tick, without its errors
        self._skills: dict[str, Skill] = {}             # by task; some remember what they did
        self.problem = ""

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

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """Look at the scene and decide what the hand does.

        Args:
            feedback: `stamp_ns`, `task` and `rows`, the newest structured rows by stream, of which
                "arm" and "sim" are needed; unknown keys are ignored.
        """
        if not self._connected or "stamp_ns" not in feedback:
            return
        stamp_ns = int(feedback["stamp_ns"])
        since_s = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) / NS_PER_S
        self._stamp_ns = stamp_ns
        skill, rows = self._skill(str(feedback.get("task", ""))), feedback.get("rows", {})
        sim = rows.get("sim")
        if skill is None or sim is None or "arm" not in rows:
            self._input = idle_input(stamp_ns)
            return
        velocity, opening = skill(np.array(sim["observation"]))
        velocity = _unless_held_up(velocity, sim["target"][:-1], rows["arm"]["position"][:-1])
        self._input = self._act(velocity, opening, stamp_ns, since_s)

    def _skill(self, task: str) -> Skill | None:
        if task and task not in self._skills:
            try:
                self._skills[task] = open_skill(self._robot, task)
            except DeviceError as error:
                self.problem = str(error)
                return None
        return self._skills.get(task)

    def _act(self, velocity: np.ndarray, opening: float, stamp_ns: int,
             since_s: float) -> HumanInput:
        wanted = deflections_for(np.concatenate([velocity, np.zeros(3)]), MAPPING)
        wanted[np.abs(wanted) < AT_REST] = 0.0
        step = since_s / HAND_S
        clean = self._clean = self._clean + np.clip(wanted - self._clean, -step, step)
        given, corrective = clean, None
        if self._hand is not None:
            given = self._hand.disturb(clean, since_s)
            corrective = np.append(twist_of(clean, MAPPING), opening)
        twist = twist_of(given, MAPPING)
        return HumanInput(stamp_ns, DeviceStatus.OK, axes_for(given, MAPPING), 0,
                          enabled=bool(np.any(twist)), twist=twist, gripper=opening,
                          corrective=corrective)


def _unless_held_up(velocity: np.ndarray, target_m: np.ndarray,
                    position_m: np.ndarray) -> np.ndarray:
    """(3,) the velocity without what would only press harder against an obstacle."""
    lead = np.zeros(3)
    lead[:len(target_m)] = np.nan_to_num(target_m - position_m)
    pressing = (np.abs(lead) > LEAD_M) & (lead * velocity > 0.0)
    return np.where(pressing, 0.0, velocity)


def expert_operator(clock: Clock, *, robot: str, seed: int = 0, clumsy: bool = False,
                    perturbed: bool = False) -> GymExpert:
    """The expert as `--teleop expert` knows it; the clock is in its feedback.

    Args:
        clock: not used.
        robot: the environment that it shall drive.
        seed: of its errors.
        clumsy: whether it errs as a beginner does.
        perturbed: whether it is pushed off its way on purpose; not together with `clumsy`.

    Raises:
        DeviceError: for a robot that is no environment, or if its package is missing.
    """
    from studio.sim.gym.catalog import tasks_of_environment

    open_skill(robot, next(iter(tasks_of_environment(robot))))      # now, not in mid-episode
    return GymExpert(robot, PERTURBED if perturbed else CLUMSY if clumsy else None, seed)
