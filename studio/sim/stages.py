"""Steps of a task and how to tell that each was truly reached.

A stage is one thing that shall become true ("the red cube lies in the bin, let go") and has to stay
true for `hold_s` before it counts. Knows the scene's named quantities; refuses to know how anybody
gets there, the seed, or the words of the instruction.
"""

import math
from typing import ClassVar, Protocol

import msgspec
import numpy as np

from studio.sim.scene_view import CUBE_HALF_M, SceneView

BIN_INNER_HALF_M = 0.072
BIN_RIM_M = 0.055                   # a cube whose centre is higher is not in, it is on something
REST_SPEED_M_S = 0.02
CLICK_DEPTH_M = 0.010               # of 15 mm travel
DRAWER_OPEN_M = 0.10
FORCE_BAND_N = (6.0, 12.0)


class Stage(Protocol):
    """One step of a task."""

    phases: ClassVar[tuple[str, ...]]
    hold_s: ClassVar[float]
    lasting: ClassVar[bool]         # must it still be true when the last stage is reached?

    @property
    def matter(self) -> str:
        """What it is about, in words: "red cube for bin"."""
        ...

    @property
    def target(self) -> str:
        """The object that the hand must go to first, out of `OBJECT_NAMES`."""
        ...

    def holds(self, view: SceneView) -> bool:
        """Whether it is true now."""
        ...

    def where(self, view: SceneView) -> tuple[int, float]:
        """The phase that the scene is in, and how much of that phase is done, 0..1."""
        ...


class _CubeStage(msgspec.Struct, frozen=True):
    """What picking a cube up and letting it go somewhere have in common."""

    phases: ClassVar[tuple[str, ...]] = ("reach", "grasp", "carry", "release")
    lasting: ClassVar[bool] = True
    colour: str

    @property
    def target(self) -> str:
        """The cube."""
        return f"cube_{self.colour}"

    def _where(self, view: SceneView, to_target_m: float, above_target: bool) -> tuple[int, float]:
        cube_m = view.cube_m(self.colour)
        if above_target:
            return 3, 0.5
        gap_m = math.dist(view.tool_m, cube_m)
        if gap_m > 0.03:
            return 0, _nearness(gap_m)
        if cube_m[2] > 2.0 * CUBE_HALF_M:
            return 2, _nearness(to_target_m)
        return 1, 0.9 if view.arm_touches(self.colour) else 0.3


class CubeInBin(_CubeStage, frozen=True):
    """The cube rests on the floor of the bin, or on another cube below the rim, let go."""

    hold_s: ClassVar[float] = 0.3

    @property
    def matter(self) -> str:
        """The cube and the bin."""
        return f"{self.colour} cube for bin"

    def _inside(self, view: SceneView) -> tuple[float, bool]:
        """How far from the bin's middle, and whether within its walls seen from above."""
        cube_m, bin_m = view.cube_m(self.colour), view.bin_m
        aside_m = math.hypot(cube_m[0] - bin_m[0], cube_m[1] - bin_m[1])
        if aside_m > 1.5 * BIN_INNER_HALF_M:        # beyond its corners: no need to turn the bin
            return aside_m, False
        x, y, _ = view.cube_in_bin_frame_m(self.colour)
        return aside_m, max(abs(x), abs(y)) < BIN_INNER_HALF_M - CUBE_HALF_M / 2

    def holds(self, view: SceneView) -> bool:
        """In, below the rim, at rest and let go."""
        height_m = view.cube_m(self.colour)[2] - view.bin_m[2]
        return (0.0 < height_m < BIN_RIM_M and self._inside(view)[1]
                and view.cube_speed_m_s(self.colour) < REST_SPEED_M_S
                and not view.arm_touches(self.colour))

    def where(self, view: SceneView) -> tuple[int, float]:
        """Reach, grasp, carry or release."""
        distance_m, inside = self._inside(view)
        return self._where(view, distance_m, inside)


class CubeOnCube(_CubeStage, frozen=True):
    """The cube rests on another one, let go."""

    hold_s: ClassVar[float] = 0.5
    onto: str

    @property
    def matter(self) -> str:
        """Both cubes."""
        return f"{self.colour} cube for {self.onto} cube"

    def _offset(self, view: SceneView) -> tuple[float, float]:
        x, y, z = view.cube_m(self.colour) - view.cube_m(self.onto)
        return math.hypot(x, y), z

    def holds(self, view: SceneView) -> bool:
        """Above within half an edge, one edge higher, both at rest and let go."""
        aside_m, above_m = self._offset(view)
        return (aside_m < CUBE_HALF_M and abs(above_m - 2 * CUBE_HALF_M) < 0.005
                and view.cube_speed_m_s(self.colour) < REST_SPEED_M_S
                and view.cube_speed_m_s(self.onto) < REST_SPEED_M_S
                and not view.arm_touches(self.colour) and not view.arm_touches(self.onto))

    def where(self, view: SceneView) -> tuple[int, float]:
        """Reach, grasp, carry or release."""
        aside_m, above_m = self._offset(view)
        on_top = aside_m < CUBE_HALF_M and 0.0 < above_m < 2.3 * CUBE_HALF_M
        return self._where(view, aside_m, on_top)


class _ButtonStage(msgspec.Struct, frozen=True):
    """What pressing the button and holding it have in common."""

    lasting: ClassVar[bool] = False

    @property
    def matter(self) -> str:
        """The button."""
        return "button"

    @property
    def target(self) -> str:
        """What is pressed down."""
        return "button_cap"

    def _where(self, view: SceneView, pressed: float) -> tuple[int, float]:
        if pressed > 0.1:
            return 1, min(1.0, pressed)
        return 0, _nearness(math.dist(view.tool_m, view.button_m))


class ButtonPressed(_ButtonStage, frozen=True):
    """The button is pressed past its click."""

    phases: ClassVar[tuple[str, ...]] = ("reach", "press")
    hold_s: ClassVar[float] = 0.05

    def holds(self, view: SceneView) -> bool:
        """Deeper than the click."""
        return view.button_depth_m >= CLICK_DEPTH_M

    def where(self, view: SceneView) -> tuple[int, float]:
        """Reach or press."""
        return self._where(view, view.button_depth_m / CLICK_DEPTH_M)


class ButtonForce(_ButtonStage, frozen=True):
    """The button is held with a force inside a band, without leaving it."""

    phases: ClassVar[tuple[str, ...]] = ("reach", "hold")
    hold_s: ClassVar[float] = 1.0

    @property
    def matter(self) -> str:
        """The button, and what for: one comes down on it otherwise than to make it click."""
        return "button for force"

    def holds(self, view: SceneView) -> bool:
        """Inside the band now."""
        return FORCE_BAND_N[0] <= view.button_force_n <= FORCE_BAND_N[1]

    def where(self, view: SceneView) -> tuple[int, float]:
        """Reach or hold."""
        return self._where(view, view.button_force_n / FORCE_BAND_N[0])


class DrawerOpen(msgspec.Struct, frozen=True):
    """The drawer stands open by ten centimetres or more."""

    phases: ClassVar[tuple[str, ...]] = ("reach", "pull")
    hold_s: ClassVar[float] = 0.2
    lasting: ClassVar[bool] = True

    @property
    def matter(self) -> str:
        """The drawer."""
        return "drawer"

    @property
    def target(self) -> str:
        """What it is pulled by."""
        return "drawer_handle"

    def holds(self, view: SceneView) -> bool:
        """Open far enough."""
        return view.drawer_opening_m >= DRAWER_OPEN_M

    def where(self, view: SceneView) -> tuple[int, float]:
        """Reach or pull."""
        if view.drawer_opening_m > 0.005:
            return 1, min(1.0, view.drawer_opening_m / DRAWER_OPEN_M)
        return 0, _nearness(math.dist(view.tool_m, view.handle_m))


def _nearness(distance_m: float) -> float:
    return float(np.exp(-distance_m / 0.1))
