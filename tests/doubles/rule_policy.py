"""A policy that is a rule: it sees where things are and puts the asked cube into the bin.

System 2 reads the colour out of the words and nothing else; System 1 never sees the words. So what
the arm does tells which latent it was given, however old. Markov, like the scripted operator's
skills: from any state the same rule leads on.
"""

import math

import msgspec
import numpy as np

from policy import rotations
from policy.interfaces import Chunk, Held, Latent, Observation, PolicySpec
from studio.sim.scene import OBJECT_NAMES

SPEED_M_S, TURN_RAD_S = 0.25, 1.0
APPROACH_PER_S = 4.0
TRAVEL_M, DROP_M = 0.17, 0.075
DOWN = np.array([0.0, 1.0, 0.0, 0.0])
COLOURS = ("red", "green", "blue")


class RulePolicy:
    """Puts a cube into the bin; see `policy.interfaces.Policy`."""

    weights_version = 1
    subtasks = tuple(f"carry {colour} cube for bin" for colour in COLOURS)
    subtask_words = ("carry", "cube", "for", "bin", *COLOURS)

    def __init__(self, cameras: dict[str, str] | None = None) -> None:
        self.spec = PolicySpec(cameras=cameras or {"front": "rgb"}, picture_size=(24, 32),
                               proprioception=("tool", "touch", "gripper", "objects"))
        self.reads = ""         # in place of the instruction
        self.seeds: list[int] = []
        self.thought_of: list[Observation] = []
        self.acted_on: list[tuple[Observation, Latent]] = []

    def reset(self, seed: int = 0) -> None:
        self.seeds.append(seed)

    def think(self, observation: Observation) -> Latent:
        self.thought_of.append(observation)
        named = [colour for colour in COLOURS if colour in (self.reads or observation.instruction)]
        return Latent(latent_id=len(self.thought_of), observation_ns=observation.stamp_ns,
                      instruction_id=observation.instruction_id, weights_version=1,
                      subtask=f"carry {named[0]} cube for bin" if named else "",
                      understood=bool(named), payload=named[0] if named else "")

    def told(self, latent: Latent, subtask: str) -> Latent:
        return msgspec.structs.replace(
            latent, subtask=subtask, understood=True,
            payload=next(colour for colour in COLOURS if colour in subtask))

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        self.acted_on.append((observation, latent))
        return Chunk(
            targets=self._targets(observation, latent.payload), space="tool",
            first_ns=observation.stamp_ns + self.spec.step_ns, step_ns=self.spec.step_ns,
            observation_ns=observation.stamp_ns, latent_id=latent.latent_id,
            latent_ns=latent.observation_ns)

    def _targets(self, observation: Observation, colour: str) -> np.ndarray:
        goal, turned, gripper = _next(observation.proprioception.astype(float), colour)
        base, steps = observation.base, np.arange(1, self.spec.steps + 1) * self.spec.step_s
        way = goal - base[:3]
        share = _approach(float(np.linalg.norm(way)), SPEED_M_S, steps)
        angle = float(np.linalg.norm(rotations.to_vector(
            rotations.multiply(turned, rotations.inverse(base[3:7])))))
        turn_share = _approach(angle, TURN_RAD_S, steps)
        targets = np.empty((len(steps), 8))                                         # (H, 8)
        targets[:, :3] = base[:3] + share[:, None] * way
        targets[:, 3:7] = rotations.between(base[3:7], turned, turn_share)
        targets[:, 7] = gripper
        return targets


def _approach(distance: float, speed: float, times_s: np.ndarray) -> np.ndarray:
    """The share of a way that is done by then, slowing down before its end as a hand does."""
    pace = min(APPROACH_PER_S, speed / max(distance, 1e-9))
    return 1.0 - np.exp(-pace * times_s)


def _next(felt: np.ndarray, colour: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Where to go (3,), how turned (4,), and the gripper."""
    tool, touch, opening = felt[:3], felt[9:11], felt[11]
    objects = felt[13:].reshape(-1, 7)
    cube = objects[OBJECT_NAMES.index(f"cube_{colour}")]
    box = objects[OBJECT_NAMES.index("bin"), :3]
    at = cube[:3]
    if math.dist(at[:2], box[:2]) < 0.06 and at[2] < 0.06:
        return np.array([*tool[:2], TRAVEL_M]), DOWN, 1.0
    if touch.min() > 0.05 and math.dist(tool, at) < 0.03:
        return _carry(tool, box)
    turned = rotations.multiply(_yaw(cube[3:]), DOWN)
    aside, gap = math.dist(tool[:2], at[:2]), math.dist(tool, at)
    if gap < 0.009 or (opening < 0.9 and gap < 0.016):
        return at, turned, 0.0
    if aside > 0.03 and tool[2] < 0.12:
        return np.array([*tool[:2], TRAVEL_M]), DOWN, 1.0
    return (at if aside < 0.006 else np.array([*at[:2], 0.12])), turned, 1.0


def _carry(tool: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    aside = math.dist(tool[:2], box[:2])
    if aside > 0.03 and tool[2] < TRAVEL_M - 0.02:
        return np.array([*tool[:2], TRAVEL_M]), DOWN, 0.0
    if aside > 0.015:
        return np.array([*box[:2], TRAVEL_M]), DOWN, 0.0
    return np.array([*box[:2], DROP_M]), DOWN, 1.0 if tool[2] < DROP_M + 0.02 else 0.0


def _yaw(quaternion: np.ndarray) -> np.ndarray:
    """The turn about the vertical nearest to none that lines up with a cube's sides."""
    axes = rotations.to_matrix(quaternion)
    side = axes[:, (int(np.argmax(np.abs(axes[2]))) + 1) % 3]
    yaw = math.atan2(side[1], side[0])
    yaw -= math.pi / 2 * round(yaw / (math.pi / 2))
    return np.array([math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)])
