"""Where things stand when an episode begins.

Draws a scene from a seed: places of bin, button and drawer near where the model puts them, cubes
apart from each other and from everything else, and the arm's posture near its home. Knows the
table's reachable part; refuses to know what shall be done with the things. MuJoCo is imported when
a scene is placed, so that tasks can be listed without it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from studio.sim.instructions import COLOURS
from studio.sim.reference import Places
from studio.sim.scene_view import CUBE_HALF_M, SceneView, TaskWorld

# x and y of the cubes: reachable with the tool pointing down, and out of the drawer's way.
CUBE_AREA_M = ((0.33, 0.57), (-0.07, 0.17))
CUBE_BY_CHEST_M = (0.50, 0.0)                   # beyond both, the hand would hit the chest
CUBE_GAP_M = 0.10                               # between centres: fingers fit between two cubes
CUBE_YAW_RAD = 0.35
START_JITTER_RAD = 0.06
# Where furniture stands and by how much that varies: x and y in m, yaw in rad. The button stays out
# of the way of the open drawer.
FURNITURE = {"bin": ((0.48, 0.32), (0.03, 0.025, 0.2)),
             "button": ((0.35, -0.31), (0.025, 0.03, 0.0)),
             "chest": ((0.68, -0.22), (0.012, 0.02, 0.0))}
# From a cube's centre: beyond the corner of the bin there is room for the open fingers (63 mm).
FURNITURE_CLEARANCE_M = {"bin": 0.175, "button": 0.13}


def place_scene(world: TaskWorld, rng: np.random.Generator,
                accepts: Callable[[Places], bool] = lambda places: True) -> None:
    """Put everything in its place and bring the model up to date.

    Args:
        world: just reset, holding MuJoCo `model` and `data`.
        rng: the episode's; the same stream of numbers gives the same scene.
        accepts: told where things would stand; the cubes are drawn again until it says yes.
    """
    import mujoco  # here, so that listing tasks stays quick

    model, data = world.model, world.data
    for name, (middle_m, spread) in FURNITURE.items():
        by = rng.uniform(-1.0, 1.0, 3) * spread
        _move_furniture(model, data, name, by[:2] + middle_m, by[2])
    taken = [(data.mocap_pos[model.body(name).mocapid[0]][:2], clearance_m)
             for name, clearance_m in FURNITURE_CLEARANCE_M.items()]
    mujoco.mj_kinematics(model, data)           # the drawer's handle stands where its chest does
    furniture = SceneView(world).places_m
    cubes_m = _scatter(rng, taken)
    while not accepts(furniture | {f"cube_{colour}": xy_m
                                   for colour, xy_m in zip(COLOURS, cubes_m, strict=True)}):
        cubes_m = _scatter(rng, taken)
    for colour, (x_m, y_m) in zip(COLOURS, cubes_m, strict=True):
        first = model.joint(int(model.body(f"cube_{colour}").jntadr[0])).qposadr[0]
        yaw_rad = rng.uniform(-CUBE_YAW_RAD, CUBE_YAW_RAD)
        data.qpos[first:first + 7] = (x_m, y_m, CUBE_HALF_M + 0.0005, *_yaw_quat(yaw_rad))
    for number in range(1, 8):
        joint = model.joint(f"arm/joint{number}")
        data.qpos[joint.qposadr[0]] += rng.uniform(-START_JITTER_RAD, START_JITTER_RAD)
    mujoco.mj_forward(model, data)


def _move_furniture(model: Any, data: Any, name: str, xy_m: np.ndarray, yaw_rad: float) -> None:
    body = model.body(name)
    mocap = int(body.mocapid[0])
    if mocap < 0:
        raise ValueError(f"body '{name}' of the scene cannot be moved: make it a mocap body")
    data.mocap_pos[mocap][:2] = xy_m
    data.mocap_quat[mocap] = _yaw_quat(yaw_rad)


def may_stand(xy_m: Sequence[float] | np.ndarray, cubes: Sequence[np.ndarray],
              furniture: Sequence[tuple[np.ndarray, float]]) -> bool:
    """Whether a cube can be picked up at a place.

    Args:
        xy_m: (2,) the place.
        cubes: (2,) each, where the others stand.
        furniture: (2,) of each piece, and how far from it a cube must be.
    """
    (x_low, x_high), (y_low, y_high) = CUBE_AREA_M
    x_m, y_m = xy_m
    return (x_low <= x_m <= x_high and y_low <= y_m <= y_high
            and all(math.dist(xy_m, other) >= CUBE_GAP_M for other in cubes)
            and (x_m < CUBE_BY_CHEST_M[0] or y_m > CUBE_BY_CHEST_M[1])
            and all(math.dist(xy_m, place) >= clearance_m for place, clearance_m in furniture))


def _scatter(rng: np.random.Generator,
             taken: Sequence[tuple[np.ndarray, float]]) -> list[np.ndarray]:
    """(2,) places for the cubes: one at a time, drawn again until it is clear of the others."""
    placed: list[np.ndarray] = []
    while len(placed) < len(COLOURS):
        place_m = np.array([rng.uniform(*extent) for extent in CUBE_AREA_M])
        if may_stand(place_m, placed, taken):
            placed.append(place_m)
    return placed


def _yaw_quat(yaw_rad: float) -> np.ndarray:
    return np.array([math.cos(yaw_rad / 2), 0.0, 0.0, math.sin(yaw_rad / 2)])
