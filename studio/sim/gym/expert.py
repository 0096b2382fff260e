"""An environment's own expert, as a teleoperator that does what a person at a SpaceMouse would.

It looks only at the recorded rows, asks the skill of the task what to do, and presses the axes that
ask the station for it. It can be told to err like a person. Knows skills by the robot's and the
task's name; knows no environment and no station.
"""

from typing import Any

import numpy as np

from recorders.clock import Clock
from studio.devices.interfaces import DeviceError, idle_input
from studio.devices.mapping import AxisMapping
from studio.sim.gym.catalog import open_skill
from studio.sim.gym.world import Skill
from studio.sim.human_errors import CLUMSY, PERTURBED, Errors
from studio.sim.scripted_teleoperator import ScriptedTeleoperator

# As fast as the station lets a tool move; a gantry does not turn.
MAPPING = AxisMapping(scale=(0.5, 0.5, 0.5, 0.0, 0.0, 0.0))
HAND_S = 0.1                    # from rest to full deflection: a hand has inertia
AT_REST = 0.004                 # of full deflection; below it a hand lets go
# A hand that is held up is not told to go ever further: the station stops an arm 0.35 m off.
LEAD_M = 0.2


class GymExpert(ScriptedTeleoperator):
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
        super().__init__(errors, seed, MAPPING, inertia_s=HAND_S, at_rest=AT_REST)
        self._robot = robot
        self.begin(seed)

    @property
    def feedback_features(self) -> dict[str, type]:
        """What `send_feedback` needs every tick."""
        return {"stamp_ns": int, "task": str, "rows": dict}

    def begin(self, seed: int) -> None:
        """Start an episode afresh: errors from this seed, nothing remembered of the last one."""
        super().begin(seed)
        self._skills: dict[str, Skill] = {}             # by task; some remember what they did
        self.problem = ""

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """Look at the scene and decide what the hand does.

        Args:
            feedback: `stamp_ns`, `task` and `rows`, the newest structured rows by stream, of which
                "arm" and "sim" are needed; unknown keys are ignored.
        """
        if not self._connected or "stamp_ns" not in feedback:
            return
        stamp_ns = int(feedback["stamp_ns"])
        since_s = self._since_last_s(stamp_ns)
        skill, rows = self._skill(str(feedback.get("task", ""))), feedback.get("rows", {})
        sim = rows.get("sim")
        if skill is None or sim is None or "arm" not in rows:
            self._input = idle_input(stamp_ns)
            return
        velocity, opening = skill(np.array(sim["observation"]))
        velocity = _unless_held_up(velocity, sim["target"][:-1], rows["arm"]["position"][:-1])
        self._input = self._press(np.append(velocity, np.zeros(3)), opening, stamp_ns, since_s)

    def _skill(self, task: str) -> Skill | None:
        if task and task not in self._skills:
            try:
                self._skills[task] = open_skill(self._robot, task)
            except DeviceError as error:
                self.problem = str(error)
                return None
        return self._skills.get(task)


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
