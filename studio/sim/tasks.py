"""The tasks of the simulated arm: name, phrasings, phases, time allowed, and a judge per episode.

`TASKS` is the registry: adding a task is its phrasings in `instructions.py`, its stages here, and
one line in `TASKS`. A task sets the scene from a seed and starts a `TaskRun`, which watches the
world and says which phase it is in and whether the goal was reached. Knows nothing of the arm's
control, of recording or of screens, and imports no simulator, so that listing tasks is quick.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np

from studio.sim.instructions import (
    COLOURS,
    Goal,
    Request,
    draw_request,
    held_out_instructions_of,
    instructions_of,
    request_from_instruction,
    requests_of,
)
from studio.sim.placement import place_scene
from studio.sim.reference import CLEAR_M, Places, gap_m, kind_of, resolve
from studio.sim.scene_view import SceneView, TaskWorld
from studio.sim.stages import (
    ButtonForce,
    ButtonPressed,
    CubeInBin,
    CubeOnCube,
    DrawerOpen,
    Stage,
)

# What can be done, by `Goal.task`. Recordings hold the number of an entry: append only.
STAGES: Mapping[str, Callable[[Goal], tuple[Stage, ...]]] = MappingProxyType({
    "put-cube-in-bin": lambda goal: (CubeInBin(goal.colour),),
    "stack-cubes": lambda goal: (CubeOnCube(goal.colour, goal.onto),),
    "push-button": lambda goal: (ButtonPressed(),),
    "open-drawer": lambda goal: (DrawerOpen(),),
    "press-force": lambda goal: (ButtonForce(),),
    "bin-then-button": lambda goal: (CubeInBin(goal.colour), ButtonPressed()),
    "button-then-bin": lambda goal: (ButtonPressed(), CubeInBin(goal.colour)),
    "bin-in-order": lambda goal: (CubeInBin(goal.colour), CubeInBin(goal.then)),
})


# What a scene may be in the middle of, whatever its task.
PHASES = tuple(dict.fromkeys(name for stage in (CubeInBin, CubeOnCube, ButtonPressed, ButtonForce,
                                                DrawerOpen) for name in stage.phases))


def stages_of(goal: Goal) -> tuple[Stage, ...]:
    """The steps to a goal, in their order."""
    return STAGES[goal.task](goal)


def phases_of(goal: Goal) -> tuple[str, ...]:
    """Names of the phases on the way to a goal; the last is "done"."""
    return (*(name for stage in stages_of(goal) for name in stage.phases), "done")


class TaskRun:
    """Judges one episode: feed it the world after every step of the simulator.

    Args:
        world: its scene is set.
        request: what the words ask for.
        instruction: the words.

    Attributes:
        request: what is asked for; changed by `set_instruction`.
        goal: what shall become true; settled in the scene in which it was asked for.
        instruction: the words for it.
        phase: index into `phases`.
        success: latched once every stage was reached and held; a later change does not undo it.
        progress: 0 at the start, 1 at success; may fall when something slips.

    Raises:
        InstructionError: the request is not clear in this scene.
    """

    def __init__(self, world: TaskWorld, request: Request, instruction: str) -> None:
        self._view = SceneView(world)
        self._begin(request, resolve(request, self._view.places_m), instruction)

    def _begin(self, request: Request, goal: Goal, instruction: str) -> None:
        self.request, self.goal, self.instruction = request, goal, instruction
        self.phases = phases_of(goal)
        self._stages = stages_of(goal)
        self._stage = 0
        self._held_from_s = math.nan        # of the simulator's time; NaN while it does not hold
        self.phase, self.progress, self.success = 0, 0.0, False

    @property
    def stage(self) -> Stage:
        """The step that is being taken, or the last one."""
        return self._stages[self._stage]

    def set_instruction(self, text: str) -> None:
        """Aim for something else in the same scene; what was reached before does not count.

        Raises:
            InstructionError: the text names no goal; the goal stays as it was.
        """
        request = request_from_instruction(text)
        self._begin(request, resolve(request, self._view.places_m), text)

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

    def saved(self) -> tuple[Any, ...]:
        """All that changes during an episode, for the world's saved state."""
        return (self.request, self.goal, self.instruction, self._stage, self._held_from_s,
                self.success, self.phase, self.progress)

    def restore(self, saved: tuple[Any, ...]) -> None:
        """Take back what `saved` returned."""
        self._begin(*saved[:3])
        self._stage, self._held_from_s, self.success, self.phase, self.progress = saved[3:]


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
    def held_out_instructions(self) -> tuple[str, ...]:
        """The same in words that are understood and never drawn."""
        return held_out_instructions_of(self.name)

    @property
    def phases(self) -> tuple[str, ...]:
        """Names of the phases; the last is "done"."""
        return phases_of(Goal(kind_of(self.name), *COLOURS))

    def start(self, world: TaskWorld, rng: np.random.Generator,
              instruction: str | None = None) -> TaskRun:
        """Set the scene and begin to judge.

        Args:
            world: just reset; its `data` is written.
            rng: seeded for the episode. An instruction does not change what is drawn from it, so
                the same seed gives the same places whatever is asked for.
            instruction: replaces the drawn request and words.

        Raises:
            InstructionError: the instruction names no goal in this scene.
        """
        request, spoken = draw_request(self.name, rng)
        if instruction is not None:
            request, spoken = request_from_instruction(instruction), instruction
        place_scene(world, rng, self._everything_is_clear)
        return TaskRun(world, request, spoken)

    def _everything_is_clear(self, places: Places) -> bool:
        """Whether whatever the task may ask for has a plain answer: also after an edit."""
        return all(gap_m(request, places) > CLEAR_M for request in requests_of(self.name))


def moves_a_cube(task: str) -> bool:
    """Whether a task has a cube moved."""
    return any(stage.target.startswith("cube_")
               for stage in stages_of(Goal(kind_of(task), *COLOURS)))


# Which of several cubes: told by colour, by place, or by elimination; and sequences, of which one
# leaves a trace on the table (the cube lies in the bin) and one does not (the button springs back).
TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in (
    Task("put-cube-in-bin", max_duration_s=20.0),
    Task("stack-cubes", max_duration_s=25.0),
    Task("push-button", max_duration_s=12.0),
    Task("open-drawer", max_duration_s=15.0),
    Task("press-force", max_duration_s=15.0),
    Task("bin-then-button", max_duration_s=30.0),
    Task("bin-by-place", max_duration_s=20.0),
    Task("stack-by-place", max_duration_s=25.0),
    Task("stack-odd", max_duration_s=25.0),
    Task("bin-in-order", max_duration_s=35.0),
    Task("button-then-bin", max_duration_s=30.0),
)})
