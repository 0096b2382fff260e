"""The tasks of the simulated arm: name, phrasings, phases, time allowed, and a judge per episode.

`TASKS` is the registry: adding a task is its phrasings in `instructions.py`, its stages here, and
one line in `TASKS`. A task sets the scene from a seed and starts a `TaskRun`, which watches the
world and says which phase it is in and whether the goal was reached. Knows nothing of the arm's
control, of recording or of screens, and imports no simulator, so that listing tasks is quick.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec
import numpy as np

from studio.sim.instructions import COLOURS, Goal, draw_goal, goal_from_instruction, instructions_of
from studio.sim.placement import place_scene
from studio.sim.scene_view import SceneView, TaskWorld
from studio.sim.stages import (
    ButtonForce,
    ButtonPressed,
    CubeInBin,
    CubeOnCube,
    DrawerOpen,
    Stage,
)

_STAGES: Mapping[str, Callable[[Goal], tuple[Stage, ...]]] = MappingProxyType({
    "put-cube-in-bin": lambda goal: (CubeInBin(goal.colour),),
    "stack-cubes": lambda goal: (CubeOnCube(goal.colour, goal.onto),),
    "push-button": lambda goal: (ButtonPressed(),),
    "open-drawer": lambda goal: (DrawerOpen(),),
    "press-force": lambda goal: (ButtonForce(),),
    "bin-then-button": lambda goal: (CubeInBin(goal.colour), ButtonPressed()),
})


def phases_of(goal: Goal) -> tuple[str, ...]:
    """Names of the phases on the way to a goal; the last is "done"."""
    return (*(name for stage in _STAGES[goal.task](goal) for name in stage.phases), "done")


class TaskRun:
    """Judges one episode: feed it the world after every step of the simulator.

    Attributes:
        goal: what shall become true; changed by `set_instruction`.
        instruction: the words for it.
        phase: index into `phases`.
        success: latched once every stage was reached and held; a later change does not undo it.
        progress: 0 at the start, 1 at success; may fall when something slips.
    """

    def __init__(self, world: TaskWorld, goal: Goal, instruction: str) -> None:
        self._view = SceneView(world)
        self._begin(goal, instruction)

    def _begin(self, goal: Goal, instruction: str) -> None:
        self.goal, self.instruction = goal, instruction
        self.phases = phases_of(goal)
        self._stages = _STAGES[goal.task](goal)
        self._stage = 0
        self._held_from_s = math.nan        # of the simulator's time; NaN while it does not hold
        self.phase, self.progress, self.success = 0, 0.0, False

    def set_instruction(self, text: str) -> None:
        """Aim for something else in the same scene; what was reached before does not count.

        Raises:
            InstructionError: the text names no goal; the goal stays as it was.
        """
        self._begin(goal_from_instruction(text), text)

    def update(self, world: TaskWorld) -> None:
        """Look at the world; call it after every physics step.

        Args:
            world: the one it was started with; its data's time must not run backwards, except
                together with `restore`.
        """
        if self.success:
            return
        now_s, stage = float(world.data.time), self._stages[self._stage]
        if not stage.holds(self._view):
            self._held_from_s = math.nan
        elif math.isnan(self._held_from_s):
            self._held_from_s = now_s
        # Times are sums of steps: half a microsecond keeps "1 s" from becoming "1 s and a step".
        if now_s - self._held_from_s >= stage.hold_s - 5e-7:
            self._advance()
        self._say_where()

    def _advance(self) -> None:
        self._held_from_s = math.nan
        if self._stage + 1 < len(self._stages):
            self._stage += 1
            return
        undone = [i for i, stage in enumerate(self._stages[:-1])
                  if stage.lasting and not stage.holds(self._view)]
        if undone:
            self._stage = undone[0]         # the cube came out again: that stage is open anew
        else:
            self.success = True

    def _say_where(self) -> None:
        if self.success:
            self.phase, self.progress = len(self.phases) - 1, 1.0
            return
        within, done = self._stages[self._stage].where(self._view)
        self.phase = sum(len(stage.phases) for stage in self._stages[:self._stage]) + within
        self.progress = min(1.0, (self.phase + done) / len(self.phases))

    def saved(self) -> tuple[float, ...]:
        """All that changes during an episode except the words, for the world's saved state."""
        return (float(self._stage), self._held_from_s, float(self.success), float(self.phase),
                self.progress)

    def restore(self, saved: tuple[float, ...]) -> None:
        """Take back what `saved` returned for the same goal."""
        stage, self._held_from_s, success, phase, self.progress = saved
        self._stage, self.success, self.phase = int(stage), bool(success), int(phase)


class Task(msgspec.Struct, frozen=True):
    """One thing that the arm can be asked to do.

    Attributes:
        name: the key in `TASKS`.
        max_duration_s: an episode that lasts longer has failed.
    """

    name: str
    max_duration_s: float

    @property
    def instructions(self) -> tuple[str, ...]:
        """Every phrasing with every colour."""
        return instructions_of(self.name)

    @property
    def phases(self) -> tuple[str, ...]:
        """Names of the phases; the last is "done"."""
        return phases_of(Goal(self.name, COLOURS[0], COLOURS[1]))

    def start(self, world: TaskWorld, rng: np.random.Generator,
              instruction: str | None = None) -> TaskRun:
        """Set the scene and begin to judge.

        Args:
            world: just reset; its `data` is written.
            rng: seeded for the episode. An instruction does not change what is drawn from it, so
                the same seed gives the same places whatever is asked for.
            instruction: replaces the drawn goal and words.

        Raises:
            InstructionError: the instruction names no goal.
        """
        goal, spoken = draw_goal(self.name, rng)
        if instruction is not None:
            goal, spoken = goal_from_instruction(instruction), instruction
        place_scene(world, rng)
        return TaskRun(world, goal, spoken)


TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in (
    Task("put-cube-in-bin", max_duration_s=20.0),
    Task("stack-cubes", max_duration_s=25.0),
    Task("push-button", max_duration_s=12.0),
    Task("open-drawer", max_duration_s=15.0),
    Task("press-force", max_duration_s=15.0),
    Task("bin-then-button", max_duration_s=30.0),
)})
