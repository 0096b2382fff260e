"""How openpi's policies call what they see and answer, and how ours do over the same protocol.

The presets are the names of openpi's own examples; `--policy-map` chooses one and changes it. A
server of ours says in its first message what it wants, so that nothing need be said about it.
Knows names and shapes; knows no socket and no network.
"""

from typing import Any

import cv2
import msgspec
import numpy as np

from policy.foreign.policy_map import PolicyMap
from policy.foreign.states import StateForm
from policy.interfaces import Observation, PolicySpec

PROMPT, ACTIONS = "prompt", "actions"
SIDE = 224                          # of openpi's pictures; what is not square is padded
OURS = "tandem"                     # in the first message of a server of ours
STATE, BASE, CLOUD = "observation/state", "observation/base", "observation/cloud"
EPISODE, SEED = "observation/episode", "observation/seed"
CAMERA = "observation/images/"
PRESETS = {
    "libero": PolicyMap(action="libero", rate_hz=20.0, fields={
        "observation/image": "front", "observation/wrist_image": "wrist",
        "observation/state": "position+axis-angle+fingers"}),
    "droid": PolicyMap(action="droid", rate_hz=15.0, fields={
        "observation/exterior_image_1_left": "front", "observation/wrist_image_left": "wrist",
        "observation/joint_position": "arm", "observation/gripper_position": "closing"}),
}
USUAL = "libero"


class Wanted(msgspec.Struct, frozen=True):
    """What a server is sent.

    Attributes:
        cameras: its name of a picture to our camera.
        states: its name of numbers to their form.
    """

    cameras: dict[str, str]
    states: dict[str, StateForm]


def wanted_of(fields: dict[str, str]) -> Wanted:
    """Fields apart: what is no form of numbers is a camera."""
    cameras: dict[str, str] = {}
    states: dict[str, StateForm] = {}
    for name, what in fields.items():
        try:
            states[name] = StateForm.parse(what)
        except ValueError:
            cameras[name] = what
    return Wanted(cameras, states)


def squared(picture: np.ndarray, side: int = SIDE) -> np.ndarray:
    """(side, side, 3) u1: as large as fits, black around it, as openpi's own clients do."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = max(round(height * scale), 1), max(round(width * scale), 1)
    small = picture if picture.shape[:2] == size else cv2.resize(
        picture, size[::-1], interpolation=cv2.INTER_AREA)
    found = np.zeros((side, side, 3), np.uint8)
    top, left = (side - size[0]) // 2, (side - size[1]) // 2
    found[top:top + size[0], left:left + size[1]] = small
    return found


def ours_of(metadata: dict[str, Any]) -> PolicySpec | None:
    """What a server of ours wants, from its first message; None for somebody else's."""
    try:
        return msgspec.convert(metadata[OURS], PolicySpec)
    except (KeyError, msgspec.ValidationError):
        return None


def metadata_of(spec: PolicySpec) -> dict[str, Any]:
    """A server's first message: what it wants to be sent, in words, and its spec."""
    height, width = spec.picture_size
    cloud = {CLOUD: f"({spec.cloud_points}, 6) of what {next(iter(spec.cameras))} sees: x y z in m "
                    "in the world frame, r g b in 0..1"} if spec.cloud_points else {}
    return {
        OURS: msgspec.to_builtins(spec),
        "observations": {**{f"{CAMERA}{camera}": f"({height}, {width}, 3) uint8"
                            for camera in spec.cameras},
                         **cloud, STATE: " + ".join(spec.proprioception),
                         BASE: "the last command, in the action space", PROMPT: "text",
                         EPISODE: "a number; another one begins a new episode (optional)"},
        ACTIONS: f"({spec.steps}, …) absolute targets in {spec.action_space} space, "
                 f"{spec.step_s:g} s apart"}


def message_of(observation: Observation, episode: int, seed: int) -> dict[str, Any]:
    """What a server of ours is sent of one moment."""
    return {**{f"{CAMERA}{camera}": picture for camera, picture in observation.images.items()},
            **({} if observation.cloud is None else {CLOUD: observation.cloud}),
            STATE: observation.proprioception, BASE: observation.base,
            PROMPT: observation.instruction, EPISODE: episode, SEED: seed}
