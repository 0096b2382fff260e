"""Where things stand when an episode begins.

Draws a scene from a seed: places of bin, button and drawer near where the model puts them, cubes
apart from each other and from everything else, and the arm's posture near its home. Knows the
table's reachable part; refuses to know what shall be done with the things. MuJoCo is imported when
a scene is placed, so that tasks can be listed without it.
"""

import math
from typing import Any

import numpy as np

from studio.sim.instructions import COLOURS
from studio.sim.scene_view import CUBE_HALF_M, TaskWorld

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


def place_scene(world: TaskWorld, rng: np.random.Generator) -> None:
    """Put everything in its place and bring the model up to date.

    Args:
        world: just reset, holding MuJoCo `model` and `data`.
        rng: the episode's; the same stream of numbers gives the same scene.
    """
    import mujoco  # here, so that listing tasks stays quick

    model, data = world.model, world.data
    for name, (middle_m, spread) in FURNITURE.items():
        by = rng.uniform(-1.0, 1.0, 3) * spread
        _move_furniture(model, data, name, by[:2] + middle_m, by[2])
    taken = [(*data.mocap_pos[model.body(name).mocapid[0]][:2], clearance_m)
             for name, clearance_m in FURNITURE_CLEARANCE_M.items()]
    for colour, (x_m, y_m) in zip(COLOURS, _scatter(rng, taken), strict=True):
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


def _scatter(rng: np.random.Generator, taken: list[tuple[float, float, float]]) -> np.ndarray:
    """(3, 2) places for the cubes: one at a time, drawn again until it is clear of the others."""
    (x_low, x_high), (y_low, y_high) = CUBE_AREA_M
    placed: list[tuple[float, float]] = []
    while len(placed) < len(COLOURS):
        x_m, y_m = rng.uniform(x_low, x_high), rng.uniform(y_low, y_high)
        clear = (all(math.dist((x_m, y_m), other) >= CUBE_GAP_M for other in placed)
                 and (x_m < CUBE_BY_CHEST_M[0] or y_m > CUBE_BY_CHEST_M[1])
                 and all(math.dist((x_m, y_m), at[:2]) >= at[2] for at in taken))
        if clear:
            placed.append((x_m, y_m))
    return np.array(placed)


def _yaw_quat(yaw_rad: float) -> np.ndarray:
    return np.array([math.cos(yaw_rad / 2), 0.0, 0.0, math.sin(yaw_rad / 2)])
