"""What an environment must say about itself to become a robot: one page, one class per family.

A world is stepped towards targets in the station's own frame and units (metres, x forward, y left,
z up, tool pointing down); how its environment wants to be told, and what that calls success, stays
inside. Its origin lies so that all that the hand can reach is in the box that the station's safety
layer keeps a tool in. Knows no clock, no stream and no thread. Letters: D = slides + gripper.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

if TYPE_CHECKING:       # listing tasks needs no codecs
    from studio.sim.picture_thread import Darkroom


class GymTask(msgspec.Struct, frozen=True):
    """One thing that can be asked for in an environment.

    Attributes:
        name: what stands after `--task`.
        instructions: the ways in which it is asked for.
        max_duration_s: an episode that lasts longer has failed.
    """

    name: str
    instructions: tuple[str, ...]
    max_duration_s: float

    @property
    def phases(self) -> tuple[str, ...]:
        """The environment tells no more than whether it is done."""
        return ("doing", "done")


class Slides(msgspec.Struct, frozen=True):
    """The straight joints that stand for an environment's hand.

    Attributes:
        names: one per axis that the hand can move along, out of "x", "y", "z".
        lower, upper: how far, in m.
        home: where the hand begins, (x, y, z) in m; axes without a slide stay there.
    """

    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    home: tuple[float, float, float]


class Reading(msgspec.Struct, frozen=True):
    """What is known after a step.

    Attributes:
        position: (D,) of the slides in m, and of the gripper 0..1.
        touch: (T,) N, on the parts of the hand that `GymWorld.touch_names` names.
        observation: (O,) what the environment shows to its own experts, in its own units.
        progress: 0..1, as the environment rewards it.
        success: the goal is reached in this moment.
        problem: empty, or why the environment cannot go on.
    """

    position: np.ndarray
    touch: np.ndarray
    observation: np.ndarray
    progress: float
    success: bool
    problem: str = ""


class GymWorld(Protocol):
    """An environment in the station's frame.

    Attributes:
        tasks: by name; the first one is set up when the world is made.
        slides: the joints.
        step_ns: simulated time of a step.
        cameras: names of what can be looked from.
        has_depth: whether pictures can carry depth.
        square: whether pictures must be as high as they are wide.
        touch_names: of the parts that feel.
        observation_size: O.
        object_place: where in an observation it is told where the (first) object lies, …
        object_unit_m: … and in which unit.
        state_size: length of `state`.
    """

    tasks: dict[str, GymTask]
    slides: Slides
    step_ns: int
    cameras: tuple[str, ...]
    has_depth: bool
    square: bool
    touch_names: tuple[str, ...]
    observation_size: int
    object_place: slice
    object_unit_m: float
    state_size: int

    def reset(self, task: str, seed: int) -> None:
        """Set up a task; the same seed gives the same scene whatever was before."""
        ...

    def step(self, target: np.ndarray | None) -> None:
        """Let `step_ns` pass, on the way to a target (D,); None: stay."""
        ...

    @property
    def reading(self) -> Reading:
        """As of the last step or reset."""
        ...

    @property
    def state(self) -> np.ndarray:
        """(state_size,) all that `restore` needs to go on from here."""
        ...

    def restore(self, state: np.ndarray) -> None:
        """Go back to a state of the same task and seed."""
        ...

    @property
    def view(self) -> Any:
        """What the darkroom draws from; not changed by later steps."""
        ...

    def darkroom(self, *, height: int, width: int, depth: bool) -> "Callable[[], Darkroom]":
        """Opens what draws this world's cameras; called in another thread."""
        ...


Skill = Callable[[np.ndarray], tuple[np.ndarray, float]]
"""An expert: from an observation (O,) to the hand's velocity (3,) m/s in the station's frame and
the gripper's opening 0..1 that it wants."""
