"""What a policy is to whoever drives a robot with it; no torch, no robot.

A policy thinks slowly and acts fast. `think` is System 2: it reads pictures and words and leaves a
`Latent`. `act` is System 1: it turns the newest pictures, the robot's state and a latent, however
old, into a `Chunk` of targets with absolute times. A policy with one speed (a peer, a baseline)
leaves an empty latent.

Frames and units as in studio/devices/interfaces.py: world_from_tool poses are (7,) x y z in metres
and qw qx qy qz; a gripper is 0 (closed) to 1 (open). Stamps are monotonic nanoseconds.
Letters: H = steps of a chunk, P = numbers of proprioception, D = joints + gripper.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec
import numpy as np

from recorders.clock import NS_PER_S
from recorders.streams import StreamSpec

ActionSpace = Literal["tool", "joints"]


class PolicySpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy wants to see and how it answers; part of every checkpoint.

    Attributes:
        cameras: camera stream to its picture, e.g. {"front": "rgb", "wrist": "rgb"}; the first
            one's newest picture sets the moment of an observation.
        picture_size: (height, width) that every picture is made before the policy sees it.
        proprioception: names of parts (see policy/data/proprioception.py), in order.
        action_space: "tool": targets are (8,) world_from_tool and gripper; "joints": (D,).
        step_s: time between two targets of a chunk.
        steps: H.
        cloud_points: points of the cloud from the first camera's depth; 0 for none.
    """

    cameras: dict[str, str]
    picture_size: tuple[int, int] = (96, 128)
    proprioception: tuple[str, ...] = ("tool", "gripper", "lag", "touch")
    action_space: ActionSpace = "tool"
    step_s: float = 1 / 30
    steps: int = 16
    cloud_points: int = 0

    @property
    def step_ns(self) -> int:
        """Time between two targets of a chunk."""
        return round(self.step_s * NS_PER_S)


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy is shown of one moment.

    Attributes:
        stamp_ns: of the newest picture of the first camera.
        images: camera to (H, W, 3) u1 in the policy's picture size.
        proprioception: (P,) f4, as of `stamp_ns`, not normalised.
        base: what the targets of a chunk are relative to: the last command before `stamp_ns`, (8,)
            world_from_tool and gripper, or (D,) joints, after the policy's action space.
        instruction: the words that hold now.
        instruction_id: counts the edits of an episode from 0.
        cloud: (N, 6) f4 x y z in the world frame and r g b in 0..1, or None.
        subtask: what a person says is to be done now, in System 2's place; empty: System 2 says it.
    """

    stamp_ns: int
    images: dict[str, np.ndarray]
    proprioception: np.ndarray
    base: np.ndarray
    instruction: str
    instruction_id: int = 0
    cloud: np.ndarray | None = None
    subtask: str = ""


class Latent(msgspec.Struct, frozen=True, kw_only=True):
    """What System 2 left, and what it was made from.

    Attributes:
        latent_id: counts the runs of System 2.
        observation_ns: stamp of what it saw; the latent's age counts from here.
        instruction_id: of the words that it read.
        weights_version: of the network that made it.
        subtask: what it says is to be done now; shown to the operator.
        understood: False if it does not know what the instruction asks for; the arm holds.
        entropy: in nats, of the word that it was least sure of; NaN if it says none.
        signature: the latent in few numbers, see policy/monitoring/novelty.py; or empty.
        payload: the policy's own.
    """

    latent_id: int
    observation_ns: int
    instruction_id: int = 0
    weights_version: int = 0
    subtask: str = ""
    understood: bool = True
    entropy: float = math.nan
    signature: tuple[float, ...] = ()
    payload: Any = None


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """What System 1 wants to happen, target by target.

    Attributes:
        targets: (H, 8) world_from_tool and gripper, or (H, D) joints, after `space`.
        first_ns, step_ns: target k holds at first_ns + k * step_ns.
        observation_ns: stamp of the observation it answers.
        latent_id, latent_ns: the latent used and the stamp of its observation.
        instruction_id, weights_version, subtask, entropy, signature: of that latent.
        epoch: of the ownership when the observation was made; the station drops older ones.
        held_steps: of how many of its targets something was decided before (see `Held`).
        chunk_id: counts the chunks of whoever drives the policy, from 1; a station counts on where
            another process takes over.
    """

    targets: np.ndarray
    space: ActionSpace
    first_ns: int
    step_ns: int
    observation_ns: int
    latent_id: int
    latent_ns: int
    instruction_id: int = 0
    weights_version: int = 0
    subtask: str = ""
    epoch: int = 0
    chunk_id: int = 0
    entropy: float = math.nan
    signature: tuple[float, ...] = ()
    held_steps: int = 0


class Held(msgspec.Struct, frozen=True):
    """Parts of a chunk that are decided already, by what is being executed or by the operator.

    Attributes:
        targets: (H, 8) or (H, D) in the policy's action space; looked at only where `mask`.
        mask: (H, same) bool, True where the value is held.
    """

    targets: np.ndarray
    mask: np.ndarray


class Policy(Protocol):
    """A network (or a rule) that drives. One thread calls it."""

    spec: PolicySpec
    weights_version: int

    def reset(self, seed: int = 0) -> None:
        """A new episode begins; `seed` fixes its random numbers."""
        ...

    def think(self, observation: Observation) -> Latent:
        """System 2, on one observation."""
        ...

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        """System 1, on a fresh observation and a latent of any age."""
        ...


@runtime_checkable
class TakesSubtasks(Protocol):
    """A policy whose System 1 follows words, so that a person may say them in System 2's place."""

    @property
    def subtask_words(self) -> tuple[str, ...]:
        """That such a phrase may be made of; none: System 1 hears no phrases."""
        ...

    @property
    def subtasks(self) -> tuple[str, ...]:
        """Phrases that its System 2 was taught, as far as that is known."""
        ...

    def told(self, latent: Latent, subtask: str) -> Latent:
        """The latent as if System 2 had said this; what it saw stays."""
        ...


@runtime_checkable
class SeesAll(Protocol):
    """A policy that looks at every observation, not only at those that it answers."""

    def see(self, observation: Observation) -> None:
        """An observation, in order, before `think` and `act` may be asked about it."""
        ...


@runtime_checkable
class Choosy(Protocol):
    """A policy that others trained, whose names may not be the robot's."""

    def misfits(self, robot: str, joint_names: Sequence[str], streams: Sequence[StreamSpec]
                ) -> list[str]:
        """What of it does not fit a robot, each a sentence with what to do; none if all does.

        Args:
            robot: its name.
            joint_names: D names, the gripper last.
            streams: all that the robot produces, `tick` among them.
        """
        ...
