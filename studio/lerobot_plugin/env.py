"""Our tasks as a LeRobot environment of the type `tandem`, for lerobot-eval.

The simulated arm under a virtual clock, one step of it a frame: the same scenes from the same seeds
as `tandem eval`, with LeRobot's loop around them. Actions are joint positions, as in our exports.
Pictures are of the moment, as in LeRobot's own environments: time stands still while a policy
thinks. Knows Gymnasium, LeRobot's config and the simulator; knows no station.
"""

from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.envs.configs import EnvConfig

from recorders.clock import NS_PER_S, ManualClock
from studio.lerobot_plugin.senses import DEPTH, SENSES, SimSenses
from studio.sim.robot import SimRobot
from studio.sim.tasks import TASKS

CAMERAS, JOINTS, TICK_HZ = ("front", "wrist"), 8, 100
SHUTTER_NS = 4_000_000      # a frame ends so long after its pictures are due


@EnvConfig.register_subclass("tandem")
@dataclass
class TandemEnvConfig(EnvConfig):
    """Fields of `--env.…`."""

    task: str | None = "put-cube-in-bin"
    fps: int = 30
    episode_length: int = 0
    """Longest episode in frames; 0: as long as the task allows."""
    height: int = 240
    width: int = 320
    senses: bool = False
    """Also touch, the wrist's force, depth and where the front camera stands: what policies of the
    type tandem may want."""
    features: dict[str, PolicyFeature] = field(default_factory=dict)
    features_map: dict[str, str] = field(default_factory=lambda: {
        "action": "action", "agent_pos": "observation.state",
        **{f"pixels/{camera}": f"observation.images.{camera}" for camera in CAMERAS}})

    def __post_init__(self) -> None:
        """What it shows and takes."""
        self.features = {
            "action": PolicyFeature(FeatureType.ACTION, (JOINTS,)),
            "agent_pos": PolicyFeature(FeatureType.STATE, (JOINTS,)),
            **{f"pixels/{camera}": PolicyFeature(FeatureType.VISUAL, (self.height, self.width, 3))
               for camera in CAMERAS}}
        if self.senses:
            told = {name: PolicyFeature(FeatureType.STATE, (len(names),))
                    for name, names in SENSES.items()}
            depth = PolicyFeature(FeatureType.VISUAL, (self.height, self.width, 1))
            self.features |= told | {f"images.{DEPTH}": depth}
            self.features_map |= {name: f"observation.{name}"
                                  for name in (*SENSES, f"images.{DEPTH}")}

    @property
    def gym_kwargs(self) -> dict[str, Any]:
        """What `TandemEnv` is made with."""
        return {"task": self.task, "fps": self.fps, "size": (self.height, self.width),
                "frames": self.episode_length, "senses": self.senses}

    def create_envs(self, n_envs: int, use_async_envs: bool = False
                    ) -> dict[str, dict[int, gym.vector.VectorEnv]]:
        """As LeRobot asks for them: by suite and task."""
        envs = gym.vector.SyncVectorEnv([lambda: TandemEnv(**self.gym_kwargs)] * n_envs,
                                        autoreset_mode=gym.vector.AutoresetMode.SAME_STEP)
        return {"tandem": {0: envs}}


class TandemEnv(gym.Env):
    """One scene of a task.

    Args:
        task: out of `tandem tasks`.
        fps: steps a second of the virtual clock.
        size: (height, width) of the pictures.
        frames: longest episode; 0: as long as the task allows.
        senses: shows what the arm feels, and depth.

    Attributes:
        task_description: the words of the scene.
    """

    def __init__(self, task: str = "put-cube-in-bin", fps: int = 30,
                 size: tuple[int, int] = (240, 320), frames: int = 0,
                 senses: bool = False) -> None:
        if task not in TASKS:
            raise ValueError(f"unknown task {task!r}: valid are {', '.join(TASKS)}")
        self.task, self.task_description, self._fps = task, "", fps
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": fps}
        self.render_mode = "rgb_array"
        self._max_episode_steps = frames or round(TASKS[task].max_duration_s * fps)
        self._clock = ManualClock(NS_PER_S, NS_PER_S)
        self._robot = SimRobot(self._clock, image_size=size, camera_hz=fps, depth=senses,
                               camera_delay_ms=0.0)
        info = self._robot.info
        self._senses = SimSenses(info.streams) if senses else None
        self.action_space = gym.spaces.Box(np.array(info.lower, np.float32),
                                           np.array(info.upper, np.float32))
        told = {name: gym.spaces.Box(-np.inf, np.inf, (len(names),), np.float32)
                for name, names in SENSES.items()} | {
            f"images.{DEPTH}": gym.spaces.Box(0, 65535, (1, *size), np.uint16)}
        self.observation_space = gym.spaces.Dict({
            **(told if senses else {}),
            "agent_pos": gym.spaces.Box(-np.inf, np.inf, (JOINTS,), np.float32),
            "pixels": gym.spaces.Dict({camera: gym.spaces.Box(0, 255, (*size, 3), np.uint8)
                                       for camera in CAMERAS})})
        self._frames = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None
              ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A scene from a seed."""
        super().reset(seed=seed)
        if not self._robot.is_connected:
            self._robot.connect()
            self._clock.advance(SHUTTER_NS)
        chosen = seed if seed is not None else int(self.np_random.integers(1 << 31))
        self.task_description = self._robot.reset(self.task, chosen)
        self._frames = 0
        if self._senses is not None:
            self._senses.clear()
        self._advance()
        return self._seen(), {"is_success": False}

    def step(self, action: np.ndarray
             ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Go towards joint positions for a frame."""
        self._robot.send(np.asarray(action, float))
        success = self._advance()
        self._frames += 1
        return (self._seen(), float(success), success, self._frames >= self._max_episode_steps,
                {"is_success": success})

    def render(self) -> np.ndarray:
        """(H, W, 3) what the front camera sees."""
        return self._robot.rig.newest[CAMERAS[0]]

    def close(self) -> None:
        """End."""
        self._robot.disconnect()

    def _advance(self) -> bool:
        """A frame of time; whether the scene is as it shall be."""
        success = False
        for part in range(TICK_HZ // self._fps + 1):
            begun = NS_PER_S // self._fps * part // (TICK_HZ // self._fps + 1)
            ends = NS_PER_S // self._fps * (part + 1) // (TICK_HZ // self._fps + 1)
            self._clock.advance(ends - begun)
            batches = self._robot.poll()
            if self._senses is not None:
                self._senses.take(batches)
            for batch in batches:
                if batch.stream == "sim" and len(batch.rows):
                    success = bool(batch.rows[-1]["success"])
        return success

    def _seen(self) -> dict[str, Any]:
        told = self._robot.get_observation()
        felt = {} if self._senses is None else {
            **self._senses.numbers(self._clock.now_ns()),
            f"images.{DEPTH}": self._senses.depth()[None]}
        return {**felt, "agent_pos": np.array([told[name] for name in self._robot.action_features],
                                      np.float32),
                "pixels": {camera: np.array(told[camera]) for camera in CAMERAS}}
