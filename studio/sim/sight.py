"""What the scripted operator sees: the newest rows of the recorded streams, in plain quantities.

Knows the columns of the streams "arm", "contact" and "sim" and nothing else, so that whatever the
operator does could be learnt from the same recording. Refuses to look into the simulator.
"""

from typing import Any

import msgspec
import numpy as np

from studio.sim.instructions import COLOURS
from studio.sim.scene import OBJECT_NAMES

HELD_TOUCH_N = 0.3          # on each finger tip
BRACED_N = 1.0
HELD_GAP_M = 0.03           # between the tool's point and the centre of a cube that it holds


class Sight(msgspec.Struct, frozen=True):
    """One look at arm and scene, world frame.

    Attributes:
        tool_m: (3,) the point between the finger tips.
        tool_quat: (4,) its orientation.
        opening: of the gripper, 0 closed .. 1 open.
        touch_n: (2,) force on the left and right finger tip.
        button_force_n: with which the button is pressed.
        places_m: (3,) of every object by its name in `OBJECT_NAMES`.
        quats: (4,) of every object.
    """

    tool_m: np.ndarray
    tool_quat: np.ndarray
    opening: float
    touch_n: np.ndarray
    button_force_n: float
    places_m: dict[str, np.ndarray]
    quats: dict[str, np.ndarray]

    def cube_m(self, colour: str) -> np.ndarray:
        """(3,) a cube's centre."""
        return self.places_m[f"cube_{colour}"]

    def cube_yaw_rad(self, colour: str) -> float:
        """Direction of a cube's side faces about the vertical; any quarter turn is the same."""
        axes = _matrix(self.quats[f"cube_{colour}"])
        upright = int(np.argmax(np.abs(axes[2])))       # the axis that stands, whichever side is up
        side = axes[:, (upright + 1) % 3]
        return float(np.arctan2(side[1], side[0]))

    @property
    def bin_yaw_rad(self) -> float:
        """Direction of the bin's x axis about the vertical."""
        axes = _matrix(self.quats["bin"])
        return float(np.arctan2(axes[1, 0], axes[0, 0]))

    @property
    def tool_yaw_rad(self) -> float:
        """Direction of the tool's x axis about the vertical."""
        axes = _matrix(self.tool_quat)
        return float(np.arctan2(axes[1, 0], axes[0, 0]))

    @property
    def braced(self) -> bool:
        """Whether the hand is at something that does not give way: a handle, the button, a wall."""
        return self.button_force_n > BRACED_N or (max(self.touch_n) > BRACED_N and not self.held)

    @property
    def held(self) -> str:
        """Colour of the cube between the fingers, or empty."""
        if min(self.touch_n) < HELD_TOUCH_N:
            return ""
        gaps_m = {colour: float(np.linalg.norm(self.cube_m(colour) - self.tool_m))
                  for colour in COLOURS}
        nearest = min(gaps_m, key=lambda colour: gaps_m[colour])
        return nearest if gaps_m[nearest] < HELD_GAP_M else ""


def look(rows: dict[str, Any]) -> Sight:
    """Read the newest rows.

    Args:
        rows: one structured row each of the streams "arm", "contact" and "sim".

    Raises:
        KeyError: a stream or a column is missing.
    """
    arm, contact, sim = rows["arm"], rows["contact"], rows["sim"]
    objects = np.asarray(sim["objects"], dtype=float)       # (n, 7)
    return Sight(
        tool_m=np.array(arm["tool_pose"][:3]), tool_quat=np.array(arm["tool_pose"][3:]),
        opening=float(arm["position"][-1]), touch_n=np.array(contact["touch"], dtype=float),
        button_force_n=float(contact["button_force"]),
        places_m={name: objects[i, :3] for i, name in enumerate(OBJECT_NAMES)},
        quats={name: objects[i, 3:] for i, name in enumerate(OBJECT_NAMES)})


def _matrix(quat: np.ndarray) -> np.ndarray:
    """Rotation matrix (3, 3) of a unit quaternion (w, x, y, z)."""
    w, x, y, z = quat
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]])
