"""Meta-World's 50 tasks (Yu et al., arXiv 1910.10897; package metaworld) as a world of the station.

Knows how Meta-World is told to move (a mocap body by at most a centimetre a step, and a gripper's
effort), where its cameras stand, and how its frame lies in the station's. Its own experts are made
into skills. Knows no clock and no stream; metaworld is imported when a world is made.
"""

import ast
import importlib
import inspect
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import msgspec
import mujoco
import numpy as np

from recorders.clock import NS_PER_S
from studio.sim.cameras import camera_geometry
from studio.sim.gym.contact_forces import ContactForces
from studio.sim.gym.world import GymTask, Reading, Skill, Slides
from studio.sim.offscreen import OffscreenView
from studio.sim.picture_thread import Darkroom, Shot

# Meta-World's robot looks along +y with its base at the origin and the table at z = 0. Turned so
# that ahead is x, and moved so that all that its hand can reach lies in the box in which the
# station's safety layer keeps a tool.
_TURN = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])     # station_from_theirs
_ORIGIN_M = np.array([0.0, 0.2, -0.2])                                     # the station's, theirs

_STATE = int(mujoco.mjtState.mjSTATE_FULLPHYSICS | mujoco.mjtState.mjSTATE_WARMSTART
             | mujoco.mjtState.mjSTATE_CTRL | mujoco.mjtState.mjSTATE_MOCAP_POS
             | mujoco.mjtState.mjSTATE_MOCAP_QUAT)
_BEST_REWARD = 10.0         # of every task's dense reward
_NEVER = 2**31              # steps: how long an episode lasts is the session's business

# As in LeRobot's wrapper: a camera named for the corner, moved nearer, and upside down.
_CAMERAS = {"front": "corner2", "wrist": "gripperPOV"}
_FRONT_AT = (0.75, 0.075, 0.7)


class _View(msgspec.Struct, frozen=True):
    """A moment to be drawn: positions are in the model too, because a reset moves furniture."""

    task: str
    model: mujoco.MjModel
    state: np.ndarray


class MetaworldWorld:
    """One or several of Meta-World's tasks.

    Args:
        tasks: which; their names are Meta-World's own.
    """

    step_ns = NS_PER_S // 80        # 5 physics steps of 2.5 ms
    cameras: ClassVar = tuple(_CAMERAS)
    has_depth, square = True, False
    touch_names = ("left", "right")
    observation_size = 39
    object_place, object_unit_m = slice(4, 7), 1.0
    state_size = 64                 # of the largest task; of smaller ones the rest is zero

    def __init__(self, tasks: dict[str, GymTask]) -> None:
        self.tasks = tasks
        self._theirs = _library()
        first = next(iter(tasks))
        reach = np.array([[env.mocap_low, env.mocap_high]
                          for env in (self._make(task) for task in tasks)])     # (N, 2, 3)
        corners = np.array([self._to_station(reach[:, 0].min(axis=0)),
                            self._to_station(reach[:, 1].max(axis=0))])
        self._env: Any = None
        self.reset(first, 0)
        home = self._to_station(self._env.hand_init_pos)
        self.slides = Slides(("x", "y", "z"), tuple(corners.min(axis=0).tolist()),
                             tuple(corners.max(axis=0).tolist()), tuple(home.tolist()))

    def reset(self, task: str, seed: int) -> None:
        """A fresh environment every time: nothing of the last episode can leak into this one."""
        if self._env is not None:
            self._env.close()
        env = self._env = self._make(task)
        env.seed(seed)
        observation, _ = env.reset()
        self._task, self._gripper = task, 1.0
        self._model = env.model             # from now on only its environment's data change
        self._forces = ContactForces(env.model, ("leftpad_geom", "rightpad_geom"))
        self.reading = self._read(observation, 0.0, success=False)

    def step(self, target: np.ndarray | None) -> None:
        """See `GymWorld.step`; the mocap body is led straight to the target."""
        env, move = self._env, np.zeros(3)
        if target is not None:
            move = (self._from_station(target[:3]) - env.data.mocap_pos[0]) / env.action_scale
            self._gripper = float(target[3])
        action = np.clip([*move, 1.0 - 2.0 * self._gripper], -1.0, 1.0)
        observation, reward, _, _, info = env.step(action)
        self.reading = self._read(observation, float(reward), success=bool(info["success"] > 0))

    @property
    def state(self) -> np.ndarray:
        """(64,) MuJoCo's, padded with zeros."""
        state = np.zeros(self.state_size)
        size = mujoco.mj_stateSize(self._model, _STATE)
        mujoco.mj_getState(self._model, self._env.data, state[:size], _STATE)
        return state

    def restore(self, state: np.ndarray) -> None:
        """See `GymWorld.restore`."""
        size = mujoco.mj_stateSize(self._model, _STATE)
        mujoco.mj_setState(self._model, self._env.data, np.ascontiguousarray(state[:size]), _STATE)
        mujoco.mj_forward(self._model, self._env.data)

    @property
    def view(self) -> _View:
        """See `GymWorld.view`."""
        return _View(self._task, self._model, self.state)

    def darkroom(self, *, height: int, width: int, depth: bool) -> Callable[[], Darkroom]:
        """See `GymWorld.darkroom`."""
        return lambda: _Darkroom(height, width, depth=depth)

    def _make(self, task: str) -> Any:
        """Meta-World's environment of a task, to be seeded and reset."""
        theirs = self._theirs.env_dict.ALL_V3_ENVIRONMENTS[task]
        env = type(theirs.__name__, (_WeldsOfAnyMuJoCo, theirs), {})()
        # What `set_task` does for the library's pickled tasks, with the goal in the observation.
        env._set_task_called, env._freeze_rand_vec, env.seeded_rand_vec = True, False, True
        env._partially_observable = False
        del env.sawyer_observation_space        # a cached property that depends on the line above
        env.max_path_length = _NEVER
        return env

    def _read(self, observation: np.ndarray, reward: float, *, success: bool) -> Reading:
        data = self._env.data
        unstable = data.warning[mujoco.mjtWarning.mjWARN_BADQACC].number > 0
        return Reading(
            position=np.append(self._to_station(self._env.get_endeff_pos()), observation[3]),
            touch=self._forces.on_parts(data), observation=np.asarray(observation, float),
            progress=float(np.clip(reward / _BEST_REWARD, 0.0, 1.0)), success=success,
            problem="the simulated physics diverged: reset the scene" if unstable else "")

    @staticmethod
    def _to_station(point_m: np.ndarray) -> np.ndarray:
        return _TURN @ (np.asarray(point_m) - _ORIGIN_M)

    @staticmethod
    def _from_station(point_m: np.ndarray) -> np.ndarray:
        return point_m @ _TURN + _ORIGIN_M


class _WeldsOfAnyMuJoCo:
    """metaworld 3.0.0 writes eleven numbers into rows that have twelve since MuJoCo 4."""

    model: mujoco.MjModel

    def reset_mocap_welds(self) -> None:
        welds = self.model.eq_type == mujoco.mjtEq.mjEQ_WELD
        # No offset between the mocap body and the hand; torques count five times.
        self.model.eq_data[welds, :11] = [0.0] * 6 + [-1.0] + [0.0] * 3 + [5.0]


class _Darkroom:
    """Draws views. The view's model gives places, one OpenGL context per task gives shapes."""

    def __init__(self, height: int, width: int, *, depth: bool) -> None:
        self._height, self._width, self._depth = height, width, depth
        self._gl: OffscreenView | None = None
        self._task = ""
        self._shown: _View | None = None
        self._model: mujoco.MjModel | None = None
        self._data: mujoco.MjData | None = None

    def shoot(self, camera: str, state: _View) -> Shot:
        """See `Darkroom.shoot`."""
        if state is not self._shown:
            self._show(state)
        assert self._gl is not None and self._model is not None and self._data is not None
        number = self._model.camera(_CAMERAS[camera]).id
        rgb, metres = self._gl.render(self._data, number, depth=self._depth)
        pose, intrinsics = camera_geometry(self._model, self._data, number, rgb.shape)
        return Shot(rgb, metres, _to_station_pose(pose), intrinsics)

    def close(self) -> None:
        """See `Darkroom.close`."""
        if self._gl is not None:
            self._gl.close()

    def _show(self, view: _View) -> None:
        if self._shown is None or view.model is not self._shown.model:
            self._model = model = _with_cameras(view.model)
            self._data = mujoco.MjData(model)
            if view.task != self._task:
                self.close()
                self._gl = OffscreenView(model, height=self._height, width=self._width)
                self._task = view.task
        assert self._model is not None and self._data is not None
        size = mujoco.mj_stateSize(self._model, _STATE)
        mujoco.mj_setState(self._model, self._data, view.state[:size].copy(), _STATE)
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        self._shown = view


def _with_cameras(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy of the model whose front camera stands as in LeRobot's wrapper, upright."""
    import copy

    model = copy.copy(model)
    front = model.camera(_CAMERAS["front"]).id
    model.cam_pos[front] = _FRONT_AT
    half_turn = np.array([0.0, 0.0, 0.0, 1.0])          # about the optical axis
    mujoco.mju_mulQuat(turned := np.empty(4), model.cam_quat[front], half_turn)
    model.cam_quat[front] = turned
    return model


def _to_station_pose(pose: np.ndarray) -> np.ndarray:
    mujoco.mju_mat2Quat(turn := np.empty(4), _TURN.ravel())
    mujoco.mju_mulQuat(quat := np.empty(4), turn, pose[3:])
    return np.concatenate([_TURN @ (pose[:3] - _ORIGIN_M), quat])


def _library() -> ModuleType:
    with warnings.catch_warnings():     # their imports' deprecations are not ours to mend
        warnings.simplefilter("ignore")
        importlib.import_module("metaworld.env_dict")
        return importlib.import_module("metaworld")


# ------------------------------------------------------------------------------------- the experts

# They lead the hand by proportional laws, tuned for one that follows at once, and each axis is cut
# off by itself. Ours hangs behind a clutch and a limiter: one gain for all, and a hand that goes
# straight, do not sway. A law's own gain p is a number in its code, from 4 to 50 per metre.
_APPROACH_PER_S = 6.0
_TOP_SPEED_M_S = 0.48           # the station lets a tool move at half a metre a second


def metaworld_skill(task: str) -> Skill:
    """Meta-World's own expert of a task."""
    _library()
    policies = importlib.import_module("metaworld.policies")
    expert = policies.ENV_POLICY_MAP[task]()
    speed_m_s = _APPROACH_PER_S / _own_gain(type(expert))

    def skill(observation: np.ndarray) -> tuple[np.ndarray, float]:
        with warnings.catch_warnings():     # they say so whenever they ask for more than they may
            warnings.simplefilter("ignore")
            action = np.asarray(expert.get_action(observation), float)
        velocity = speed_m_s * action[:3]
        velocity *= min(1.0, _TOP_SPEED_M_S / max(float(np.linalg.norm(velocity)), 1e-9))
        # They leave an empty hand half open; a fully open one does not land on what it shall grasp.
        effort = float(np.clip(action[3], -1.0, 1.0))
        return _TURN @ velocity, (1.0 - effort) / 2.0 if effort > 0.0 else 1.0

    return skill


def _own_gain(expert: type) -> float:
    """The smallest p of an expert's calls of `move(…, p=…)`."""
    calls = (node for node in ast.walk(ast.parse(inspect.getsource(expert)))
             if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "move")
    return min(float(ast.literal_eval(argument.value)) for call in calls
               for argument in call.keywords if argument.arg == "p")
