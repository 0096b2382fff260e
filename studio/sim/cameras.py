"""The simulated arm's cameras: what the picture thread draws of a state of its world.

Knows the scene's cameras and MuJoCo's drawing. Knows nothing of the task or of who drives; when a
picture is taken and when it arrives is the robot's and the thread's business.
"""

import msgspec
import mujoco
import numpy as np

from recorders.streams import Encoding
from studio.devices.interfaces import DeviceError
from studio.sim.offscreen import OffscreenView
from studio.sim.picture_thread import LATENCY_NS, PictureThread, Shot, Snapshot, camera_stream
from studio.sim.scene import CAMERA_NAMES
from studio.sim.world import STATE_PARTS

__all__ = ["LATENCY_NS", "CameraOptions", "CameraRig", "Snapshot", "camera_geometry"]


class CameraOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the cameras deliver."""

    names: tuple[str, ...] = ("front", "wrist")
    height: int = 240
    width: int = 320
    rate_hz: float = 30.0
    depth: bool = True
    encoding: Encoding = "jpeg"
    shadows: bool = False       # pretty, and eight times as dear
    delay_ms: float | None = None   # stamped on arrival, so late; None: stamped at exposure

    @property
    def delay_ns(self) -> int | None:
        """The same in ns."""
        return None if self.delay_ms is None else round(self.delay_ms * 1_000_000)


class CameraRig(PictureThread):
    """The cameras of a world; a snapshot's state is the world's state vector.

    Args:
        model: the world's; only read.
        options: which cameras, how large, how often.

    Attributes:
        streams: one per camera, in the order of `options.names`.

    Raises:
        DeviceError: for an unknown camera.
    """

    def __init__(self, model: mujoco.MjModel, options: CameraOptions) -> None:
        if unknown := [name for name in options.names if name not in CAMERA_NAMES]:
            raise DeviceError(f"unknown camera '{unknown[0]}': valid are "
                              f"{', '.join(CAMERA_NAMES)}")
        self.options = options
        super().__init__(
            [camera_stream(name, height=options.height, width=options.width,
                           rate_hz=options.rate_hz, depth=options.depth,
                           encoding=options.encoding) for name in options.names],
            lambda: _Darkroom(model, options),
            latency_ns=LATENCY_NS if options.delay_ms is None else 0)


class _Darkroom:
    """OpenGL, and a copy of the world to be drawn."""

    def __init__(self, model: mujoco.MjModel, options: CameraOptions) -> None:
        self._model, self._data = model, mujoco.MjData(model)
        self._options = options
        self._cameras = {name: model.camera(CAMERA_NAMES[name]).id for name in options.names}
        self._view = OffscreenView(model, height=options.height, width=options.width,
                                   shadows=options.shadows)
        self._shown: np.ndarray | None = None

    def shoot(self, camera: str, state: np.ndarray) -> Shot:
        if state is not self._shown:
            mujoco.mj_setState(self._model, self._data, state, STATE_PARTS)
            mujoco.mj_kinematics(self._model, self._data)
            mujoco.mj_camlight(self._model, self._data)
            self._shown = state
        number = self._cameras[camera]
        rgb, metres = self._view.render(self._data, number, depth=self._options.depth)
        return Shot(rgb, metres, *camera_geometry(self._model, self._data, number, rgb.shape))

    def close(self) -> None:
        self._view.close()


def camera_geometry(model: mujoco.MjModel, data: mujoco.MjData, camera: int,
                    shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Where a fixed camera stands and how it projects.

    Args:
        model, data: with the cameras' poses up to date.
        camera: its number in the model.
        shape: (H, W, …) of its pictures.

    Returns:
        world_from_camera (7,) and intrinsics (4,) as in `Shot`.
    """
    # MuJoCo's cameras look along -z with y up; ours look along z with y down.
    turned = data.cam_xmat[camera].reshape(3, 3) * (1, -1, -1)
    mujoco.mju_mat2Quat(quat := np.empty(4), turned.ravel())
    focal = shape[0] / 2 / np.tan(np.radians(model.cam_fovy[camera]) / 2)
    return (np.concatenate([data.cam_xpos[camera], quat]),
            np.array([focal, focal, shape[1] / 2, shape[0] / 2]))
