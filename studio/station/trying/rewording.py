"""The edits of one trial: when each is due, in which words, and how soon it acts.

What it may see of the truth is where the asked-for cube is and which phase the task is in. Knows
the rows of a robot's streams and chunks; gives no command.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from policy.interfaces import Chunk
from studio.sim.instructions import COLOURS, Goal
from studio.sim.scene import OBJECT_NAMES
from studio.sim.subtasks import goal_in
from studio.sim.tasks import phases_of
from studio.station.trying.trials import Edit


class Rewording:
    """Edits that happen one after the other.

    Args:
        edits: in their order.
        asked: what the scene's reset asked for; the words are about that.

    Attributes:
        at_ns: when those that happened did.
        effect_ticks: from each of them to the first tick that followed a chunk planned for it.
    """

    def __init__(self, edits: Sequence[Edit], asked: Goal) -> None:
        self._left, self._asked = list(edits), asked
        self._at_tick, self._waits = -1, False
        self.at_ns: list[int] = []
        self.effect_ticks: list[int] = []

    @property
    def to_come(self) -> bool:
        """Whether there are edits that have not happened."""
        return bool(self._left)

    def due(self, tick: int, latest: Mapping[str, Any]) -> str:
        """The words of the next edit if it is time for it, or empty.

        Args:
            tick: since the policy began, from 0.
            latest: the newest row of every stream by its name.
        """
        if not self._left or not self._is_time(self._left[0], tick, latest):
            return ""
        return worded(self._left[0].text, self._asked)

    def happened(self, tick: int, now_ns: int) -> None:
        """The edit that was due was made before this tick."""
        self._left.pop(0)
        self._at_tick, self._waits = tick, True
        self.at_ns.append(now_ns)

    def watch(self, tick: int, chunk: Chunk | None, instruction_id: int) -> None:
        """Look at what a tick followed.

        Args:
            tick: its number, as in `happened`.
            chunk: that it followed.
            instruction_id: of the words that hold.
        """
        if self._waits and chunk is not None and chunk.instruction_id >= instruction_id:
            self.effect_ticks.append(tick - self._at_tick)
            self._waits = False

    def _is_time(self, edit: Edit, tick: int, latest: Mapping[str, Any]) -> bool:
        if edit.later >= 0:
            return 0 <= self._at_tick <= tick - edit.later
        if edit.tick >= 0:
            return tick >= edit.tick
        arm, sim = latest["arm"], latest["sim"]
        if edit.phase:
            goal = goal_in(sim)
            return goal is not None and phases_of(goal)[int(sim["phase"])] == edit.phase
        if not (colour := self._asked.colour):
            return False
        cube = sim["objects"][OBJECT_NAMES.index(f"cube_{colour}"), :3]
        return float(np.linalg.norm(arm["tool_pose"][:3] - cube)) < edit.within_m


def worded(text: str, asked: Goal) -> str:
    """A text with a scene's colours in the place of {colour}, {onto} and {other}."""
    other = COLOURS[(COLOURS.index(asked.colour) + 1) % len(COLOURS)] if asked.colour else ""
    for name, value in (("colour", asked.colour), ("onto", asked.onto), ("other", other)):
        text = text.replace(f"{{{name}}}", value)
    return text
