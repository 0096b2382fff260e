"""Changing one's mind: another instruction of the same task, while the hand is on its way to what
was asked for, or while it carries it.

What a policy must see to learn that words may change under way. Knows the task's requests and one
row each of the streams "arm" and "sim"; refuses to know who gives the new words to whom.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from studio.sim.instructions import InstructionError, request_from_instruction, requests_of, worded
from studio.sim.phrasings import PHRASINGS
from studio.sim.reference import CLEAR_M, gap_m, resolve
from studio.sim.scene import OBJECT_NAMES
from studio.sim.subtasks import goal_in
from studio.sim.tasks import stages_of

HAND_M = (0.04, 0.22)       # from the target: from the last moment before the grasp to half-way
LATE = 0.4                  # of the edits come when something is held, which is to be put down
CARRIED_M = (0.01, 0.12)    # so far up by then
_STREAM = 53                # of the seed: what is drawn here shifts nothing else


def can_be_edited(task: str) -> bool:
    """Whether a task may ask for more than one thing."""
    return len(requests_of(task)) > 1


class Edits:
    """Changes the instruction at most once in an episode.

    Args:
        chance: share of the episodes in which it does.
    """

    def __init__(self, chance: float) -> None:
        self._chance = chance
        self.begin(0)

    def begin(self, seed: int) -> None:
        """A new episode."""
        self._rng = np.random.default_rng([seed, _STREAM])
        self._due = bool(self._rng.random() < self._chance)
        self._hand_m = float(self._rng.uniform(*HAND_M))
        late = np.random.default_rng([seed, _STREAM, 1])
        self._carried_m = float(late.uniform(*CARRIED_M)) if late.random() < LATE else 0.0
        self._lowest_m = np.inf

    def new_words(self, latest: Mapping[str, Any], instruction: str) -> str:
        """The new instruction if it is time for it, or empty.

        Args:
            latest: the newest row of every stream by its name.
            instruction: what stands now.
        """
        if not self._due or not {"arm", "sim"} <= latest.keys():
            return ""
        arm, sim = latest["arm"], latest["sim"]
        goal = goal_in(sim)
        if goal is None:
            return ""
        places: dict[str, np.ndarray] = dict(zip(OBJECT_NAMES, sim["objects"][:, :3], strict=True))
        first, phase = stages_of(goal)[0], int(sim["phase"])
        target = places[first.target]
        if self._carried_m > 0 and "carry" in first.phases:
            carried = first.phases.index("carry")
            self._due = phase <= carried
            self._lowest_m = min(self._lowest_m, float(target[2]))
            now = phase == carried and target[2] - self._lowest_m >= self._carried_m
        else:
            self._due = phase == 0
            now = self._due and np.linalg.norm(target - arm["tool_pose"][:3]) <= self._hand_m
        if not now:
            return ""
        self._due = False
        return self._drawn(instruction, places)

    def _drawn(self, instruction: str, places: Mapping[str, np.ndarray]) -> str:
        """Other words for another goal, each goal as likely as the next."""
        try:
            request = request_from_instruction(instruction)
        except InstructionError:
            return ""               # a person's own words: nothing to vary
        there = [(resolve(other, places), other) for other in requests_of(request.task)
                 if gap_m(other, places) > CLEAR_M]
        goals = sorted({goal for goal, _ in there} - {resolve(request, places)},
                       key=lambda goal: (goal.colour, goal.onto, goal.then))
        if not goals:
            return ""
        goal = goals[int(self._rng.integers(len(goals)))]
        others = [other for meant, other in there if meant == goal]
        templates = PHRASINGS[request.task]
        return worded(others[int(self._rng.integers(len(others)))],
                      templates[int(self._rng.integers(len(templates)))])
