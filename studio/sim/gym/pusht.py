"""PushT (package gym-pusht; task of Chi et al., arXiv 2303.04137) as a world of the station.

A pixel of its 512 x 512 plane is a millimetre here: a real T of that size is pushed in the field.
Its physics steps are kept (10 ms, a spring that pulls the pusher to its target); what is new is
that the target may move at every step instead of every tenth. There is no gripper: its number is
only repeated. Knows no clock and no stream; gym_pusht is imported when a world is made.
"""

import importlib
import math
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from recorders.clock import NS_PER_S
from studio.sim.gym.world import GymTask, Reading, Skill, Slides
from studio.sim.picture_thread import Darkroom, Shot

STEP_S = 0.01
METRES = 1e-3               # of a pixel
PLANE_PX = 512
PUSHER_PX = 15.0            # radius
# Their y is down the picture and their origin its upper left corner; ahead of the station is up.
_NEAR_M, _HEIGHT_M = 0.2, 0.02
_CAMERA_M = 1.0             # above the plane
_REACH_PX = (20.0, PLANE_PX - 20.0)         # the walls, with the pusher's radius

_LOOKING_DOWN = (0.0, 1.0, -1.0, 0.0)       # x of the picture is -y, y of the picture is -x


def to_station(pixel: np.ndarray) -> np.ndarray:
    """(2,) pixels to (2,) m."""
    return np.array([_NEAR_M + (PLANE_PX - pixel[1]) * METRES,
                     (PLANE_PX / 2 - pixel[0]) * METRES])


def from_station(point_m: np.ndarray) -> np.ndarray:
    """(2,) m to (2,) pixels."""
    return np.array([PLANE_PX / 2 - point_m[1] / METRES,
                     PLANE_PX - (point_m[0] - _NEAR_M) / METRES])


class PushTWorld:
    """The plane, the T and the pusher.

    Args:
        tasks: its only one.
    """

    step_ns = int(STEP_S * NS_PER_S)
    cameras: ClassVar = ("front",)
    has_depth, square = False, True
    touch_names = ("pusher",)
    observation_size = 5        # pusher x y, T x y in pixels, T's angle in rad
    object_place, object_unit_m = slice(2, 4), METRES
    state_size = 10             # the same with velocities

    def __init__(self, tasks: dict[str, GymTask]) -> None:
        self.tasks = tasks
        corners = np.array([to_station(np.full(2, end)) for end in _REACH_PX])
        middle = to_station(np.full(2, PLANE_PX / 2))
        self.slides = Slides(("x", "y"), tuple(corners.min(axis=0).tolist()),
                             tuple(corners.max(axis=0).tolist()),
                             (float(middle[0]), float(middle[1]), _HEIGHT_M))
        self._env = make_environment()
        self.reset(next(iter(tasks)), 0)

    def reset(self, task: str, seed: int) -> None:
        """See `GymWorld.reset`."""
        self._env.reset(seed=seed)
        self._gripper = 1.0
        self._target = np.array(self._env.agent.position)
        self.reading = self._read(0.0, success=False)

    def step(self, target: np.ndarray | None) -> None:
        """See `GymWorld.step`."""
        if target is not None:
            self._target, self._gripper = from_station(target[:2]), float(target[2])
        _, reward, done, _, _ = self._env.step(self._target)
        self.reading = self._read(float(reward), success=bool(done))

    @property
    def state(self) -> np.ndarray:
        """(10,) pusher's position and velocity, T's position, angle, velocity, turning."""
        return state_of(self._env)

    def restore(self, state: np.ndarray) -> None:
        """See `GymWorld.restore`; what the solver remembers of contacts is not in the state."""
        put_state(self._env, state)

    @property
    def view(self) -> np.ndarray:
        """See `GymWorld.view`."""
        return self.state

    def darkroom(self, *, height: int, width: int, depth: bool) -> Callable[[], Darkroom]:
        """See `GymWorld.darkroom`."""
        return lambda: _Darkroom(height, width)

    def _read(self, reward: float, *, success: bool) -> Reading:
        agent = self._env.agent
        impulses: list[float] = []
        agent.each_arbiter(lambda arbiter: impulses.append(arbiter.total_impulse.length))
        return Reading(
            position=np.append(to_station(np.array(agent.position)), self._gripper),
            # The T weighs 1, say kg: impulses are in kg mm/s.
            touch=np.array([sum(impulses) / STEP_S * METRES]),
            observation=np.asarray(self._env.get_obs(), float), progress=reward, success=success)


class _Darkroom:
    """Draws states on a plane of its own, as seen from far above."""

    def __init__(self, height: int, width: int) -> None:
        self._env = make_environment(visualization_height=height, visualization_width=width)
        self._env.reset(seed=0)
        pixels_per_m = height / (PLANE_PX * METRES)
        middle = to_station(np.full(2, PLANE_PX / 2))
        half = math.sqrt(0.5)
        self._pose = np.array([*middle, _HEIGHT_M + _CAMERA_M,
                               *(half * part for part in _LOOKING_DOWN)])
        focal = pixels_per_m * _CAMERA_M
        self._intrinsics = np.array([focal, focal, width / 2, height / 2])

    def shoot(self, camera: str, state: Any) -> Shot:
        """See `Darkroom.shoot`."""
        put_state(self._env, state)
        return Shot(np.ascontiguousarray(self._env.render()), None, self._pose, self._intrinsics)

    def close(self) -> None:
        """See `Darkroom.close`."""
        self._env.close()


def make_environment(**options: Any) -> Any:
    """Their environment, to be stepped once per physics step; reset it first."""
    env = _library().PushTEnv(obs_type="state", render_mode="rgb_array", **options)
    env.control_hz = round(1 / STEP_S)
    return env


def state_of(env: Any) -> np.ndarray:
    """(10,) see `PushTWorld.state`."""
    agent, block = env.agent, env.block
    return np.array([*agent.position, *agent.velocity, *block.position, block.angle,
                     *block.velocity, block.angular_velocity])


def put_state(env: Any, state: np.ndarray) -> None:
    """Put a state into an environment that was reset."""
    agent, block = env.agent, env.block
    agent.position, agent.velocity = state[:2].tolist(), state[2:4].tolist()
    block.angle = float(state[6])           # first: it turns about the middle of mass
    block.position, block.velocity = state[4:6].tolist(), state[7:9].tolist()
    block.angular_velocity = float(state[9])
    env.space.reindex_shapes_for_body(agent)
    env.space.reindex_shapes_for_body(block)


def _library() -> ModuleType:
    with warnings.catch_warnings():     # pygame's and pymunk's deprecations are not ours to mend
        warnings.simplefilter("ignore")
        return importlib.import_module("gym_pusht.envs")


def pusht_skill(task: str) -> Skill:
    """A scripted pusher; there is only one task."""
    from studio.sim.gym.pusher import Pusher  # it stands on this file

    return Pusher()
