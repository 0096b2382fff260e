"""The scene: a table, three cubes, a bin, a button and a chest with a drawer, and an arm at them.

Primitives only: quick to render on a CPU, nothing to download, no third party's licence. Furniture
that a task moves from episode to episode stands on mocap bodies, because their poses are part of
the simulator's *state*, so that a recorded moment can be restored exactly. This file knows names,
shapes and places; it knows no task, no time and no camera settings beyond where the cameras stand.
"""

import mujoco
import numpy as np

from studio.sim.arm_model import add_arm
from studio.sim.furniture import add_bin, add_button, add_chest, add_cube, add_room
from studio.sim.mishaps import add_cover

ARM_NAME = "arm"
CUBE_NAMES = ("cube_red", "cube_green", "cube_blue")
# The order of the poses in the column `objects`. The last is a site, the others are bodies.
OBJECT_NAMES = (*CUBE_NAMES, "bin", "button", "button_cap", "drawer", "drawer_handle")
MOVABLE_NAMES = (*CUBE_NAMES, "bin", "button", "chest")     # free or mocap bodies
CAMERA_NAMES = {"front": "front", "wrist": f"{ARM_NAME}/wrist"}

PHYSICS_HZ = 500

_CUBE_COLOURS = {"cube_red": (0.86, 0.20, 0.18), "cube_green": (0.16, 0.62, 0.34),
                 "cube_blue": (0.15, 0.38, 0.82)}
_CUBE_PLACES = {"cube_red": (0.44, 0.13), "cube_green": (0.53, 0.02), "cube_blue": (0.44, -0.10)}


def build_scene(*, cover: bool = False) -> mujoco.MjSpec:
    """The one-arm scene, ready to compile.

    Args:
        cover: with something that a camera can be covered with; such a scene's states are its own.

    Returns:
        The specification; `compile()` gives the model, `to_xml()` its MJCF.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "tandem"
    spec.compiler.degree = False
    option = spec.option
    option.timestep = 1 / PHYSICS_HZ
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Elliptic cones and a high impedance ratio keep a held cube from creeping out of the fingers.
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10
    add_room(spec)
    add_arm(spec, ARM_NAME, world_from_base=np.array([0, 0, 0, 1, 0, 0, 0]))
    for name in CUBE_NAMES:
        add_cube(spec, name, xy_m=_CUBE_PLACES[name], rgb=_CUBE_COLOURS[name])
    add_bin(spec, "bin", xy_m=(0.48, 0.32))
    add_button(spec, "button", xy_m=(0.40, -0.31))
    add_chest(spec, "chest", xy_m=(0.67, -0.22))
    if cover:
        add_cover(spec)
    return spec
