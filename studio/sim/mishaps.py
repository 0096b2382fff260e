"""What goes wrong in the simulated scene on purpose: a camera is covered, the gripper sticks.

For finding out whether somebody notices in time. A cover is a plate right before the first camera's
lens, which nothing can touch; a gripper that sticks stays where it was going. Both come at a moment
drawn from the episode's seed and stay until the next reset. Decides from the time and the seed
alone; refuses to know who drives.
"""

import msgspec
import mujoco
import numpy as np

COVER = "cover"
_COVERED = "front"          # camera
_BEFORE_LENS_M = 0.05
_AWAY_M = (0.0, 0.0, -5.0)
_STREAM = 72                # of the seed: what is drawn here shifts nothing else


class Mishaps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong, and when; nothing by default."""

    cover_chance: float = 0.0
    """Share of the episodes in which the first camera is covered."""
    stick_chance: float = 0.0
    """Share of the episodes in which the gripper sticks."""
    between_s: tuple[float, float] = (0.8, 2.5)
    """When, after the reset, from and to."""


def add_cover(spec: mujoco.MjSpec) -> None:
    """A plate that can be put before a lens; it lies far away at first."""
    body = spec.worldbody.add_body(name=COVER, pos=_AWAY_M, mocap=True)
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(0.10, 0.10, 0.002),
                  rgba=(0.25, 0.2, 0.18, 1.0), contype=0, conaffinity=0)


class MishapMaker:
    """Lets the mishaps of one episode after another happen.

    Args:
        mishaps: what shall happen.
        model, data: of a scene with a cover.
    """

    def __init__(self, mishaps: Mishaps, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._mishaps, self._model, self._data = mishaps, model, data
        self._cover = int(model.body(COVER).mocapid[0])
        self.begin(0)

    def begin(self, seed: int) -> None:
        """A new episode."""
        rng = np.random.default_rng([seed, _STREAM])
        covers, sticks = rng.random(2)
        at_s = rng.uniform(*self._mishaps.between_s, size=2)
        self._covered_s = float(at_s[0]) if covers < self._mishaps.cover_chance else np.inf
        self._stuck_s = float(at_s[1]) if sticks < self._mishaps.stick_chance else np.inf

    @property
    def stuck(self) -> bool:
        """Whether the gripper does not move any more."""
        return self._data.time >= self._stuck_s

    def step(self) -> None:
        """What is to happen before the next step of the physics."""
        place = np.array(_AWAY_M)
        if self._data.time >= self._covered_s:
            camera = self._model.camera(_COVERED).id
            view = self._data.cam_xmat[camera].reshape(3, 3)
            place = self._data.cam_xpos[camera] - _BEFORE_LENS_M * view[:, 2]
            mujoco.mju_mat2Quat(self._data.mocap_quat[self._cover], view.ravel())
        self._data.mocap_pos[self._cover] = place
