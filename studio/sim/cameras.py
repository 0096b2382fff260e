"""The simulated cameras: a thread that draws, encodes and hands back batches.

Given a snapshot of the world's state, the thread draws every camera, encodes the pictures and
makes the rows, so that drawing overlaps with physics. Knows nothing of the task or of who drives.
The capture schedule is the robot's; what is due when is decided by `collect`.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
import mujoco
import numpy as np

from recorders.images import encode
from recorders.streams import Batch, Column, Encoding, ImageField, StreamSpec
from studio.devices.interfaces import DeviceError
from studio.sim.offscreen import OffscreenView
from studio.sim.scene import CAMERA_NAMES
from studio.sim.world import STATE_PARTS

# From exposure to arrival, as a USB camera's first byte needs; under a virtual clock a picture
# arrives exactly this late, however long drawing took.
LATENCY_NS = 20_000_000
# One being drawn and one that came due while physics caught up; a third one is skipped.
_MOST_PENDING = 2
_DEPTH_UNIT_M = 0.001


class CameraOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the cameras deliver."""

    names: tuple[str, ...] = ("front", "wrist")
    height: int = 240
    width: int = 320
    rate_hz: float = 30.0
    depth: bool = True
    encoding: Encoding = "jpeg"
    shadows: bool = False       # pretty, and eight times as dear


class Snapshot(msgspec.Struct, frozen=True):
    """A moment to take pictures of: its stamps as in a row, and the world's state vector."""

    t_mono_ns: int
    t_wall_ns: int
    t_device_ns: int
    seq: int
    state: np.ndarray


class CameraRig:
    """Owns the thread in which the pictures are made.

    Args:
        model: the world's; only read.
        options: which cameras, how large, how often.

    Attributes:
        streams: one per camera, in the order of `options.names`.
        newest: (H, W, 3) u1 per camera, of the last batch collected.

    Raises:
        DeviceError: for an unknown camera.
    """

    def __init__(self, model: mujoco.MjModel, options: CameraOptions) -> None:
        if unknown := [name for name in options.names if name not in CAMERA_NAMES]:
            raise DeviceError(f"unknown camera '{unknown[0]}': valid are "
                              f"{', '.join(CAMERA_NAMES)}")
        self.options = options
        self.streams = tuple(_stream(name, options) for name in options.names)
        self.newest: dict[str, np.ndarray] = {}
        self._model = model
        self._pending: deque[tuple[int, Future[_Exposure]]] = deque()
        self._thread: ThreadPoolExecutor | None = None
        self._darkroom: _Darkroom | None = None

    def start(self) -> None:
        """Start the thread and open OpenGL in it.

        Raises:
            DeviceError: if OpenGL does not work here.
        """
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sim-cameras")
        try:
            self._darkroom = self._thread.submit(
                _Darkroom, self._model, self.options, self.streams).result()
        except DeviceError:
            self._thread.shutdown()
            self._thread = None
            raise

    def stop(self) -> None:
        """Drop what is pending and end the thread."""
        if self._thread is None or self._darkroom is None:
            return
        for _, exposure in self._pending:
            exposure.cancel()
        self._pending.clear()
        self._thread.submit(self._darkroom.close)
        self._thread.shutdown()
        self._thread = self._darkroom = None

    @property
    def busy(self) -> bool:
        """Whether a capture has to be skipped because drawing does not keep up."""
        return len(self._pending) >= _MOST_PENDING

    def capture(self, snapshot: Snapshot) -> None:
        """Take a picture of a moment with every camera; returns at once."""
        if self._thread is None or self._darkroom is None:
            raise DeviceError("the simulated cameras are not running: connect the robot first")
        self._pending.append((snapshot.t_mono_ns,
                              self._thread.submit(self._darkroom.expose, snapshot)))

    def collect(self, now_ns: int, *, wait: bool) -> list[Batch]:
        """What has arrived, in order.

        Args:
            now_ns: monotonic.
            wait: True under a virtual clock: exactly what is LATENCY_NS old, waiting for the
                thread if need be. False in real time: what is ready.

        Raises:
            DeviceError: if drawing failed.
        """
        batches: list[Batch] = []
        while self._pending:
            stamp_ns, exposure = self._pending[0]
            due = stamp_ns + LATENCY_NS <= now_ns if wait else exposure.done()
            if not due:
                break
            self._pending.popleft()
            batches += self._develop(exposure)
        return batches

    def collect_all(self) -> list[Batch]:
        """Wait for everything that was captured."""
        return [batch for _ in range(len(self._pending))
                for batch in self._develop(self._pending.popleft()[1])]

    def _develop(self, exposure: "Future[_Exposure]") -> list[Batch]:
        pictures = exposure.result()
        self.newest = pictures.raw
        return pictures.batches


class _Exposure(msgspec.Struct, frozen=True):
    batches: list[Batch]
    raw: dict[str, np.ndarray]


class _Darkroom:
    """Lives in the thread: OpenGL, and a copy of the world to be drawn."""

    def __init__(self, model: mujoco.MjModel, options: CameraOptions,
                 streams: tuple[StreamSpec, ...]) -> None:
        self._model, self._data = model, mujoco.MjData(model)
        self._options = options
        self._cameras = [(spec, model.camera(CAMERA_NAMES[spec.name]).id) for spec in streams]
        self._view = OffscreenView(model, height=options.height, width=options.width,
                                   shadows=options.shadows)

    def expose(self, snapshot: Snapshot) -> _Exposure:
        try:
            return self._expose(snapshot)
        except Exception as error:      # the thread's outermost edge: whatever GL may throw
            raise DeviceError(f"the simulated cameras failed: {error}; reconnect the robot, or "
                              "start it without cameras") from error

    def _expose(self, snapshot: Snapshot) -> _Exposure:
        mujoco.mj_setState(self._model, self._data, snapshot.state, STATE_PARTS)
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        batches, raw = [], {}
        for spec, camera in self._cameras:
            rgb, metres = self._view.render(self._data, camera, depth=self._options.depth)
            raw[spec.name] = rgb
            images: dict[str, bytes | memoryview] = {"rgb": encode(rgb, self._options.encoding)}
            if metres is not None:
                images["depth"] = encode(_counts(metres), "zstd")
            batches.append(Batch(spec.name, self._row(spec, camera, snapshot), (images,)))
        return _Exposure(batches, raw)

    def _row(self, spec: StreamSpec, camera: int, snapshot: Snapshot) -> np.ndarray:
        row = np.zeros(1, spec.row_dtype)
        for name in ("t_mono_ns", "t_wall_ns", "t_device_ns", "seq"):
            row[name] = getattr(snapshot, name)
        # MuJoCo's cameras look along -z with y up; the column's look along z with y down.
        turned = self._data.cam_xmat[camera].reshape(3, 3) * (1, -1, -1)
        mujoco.mju_mat2Quat(quat := np.empty(4), turned.ravel())
        row["world_from_camera"] = np.concatenate([self._data.cam_xpos[camera], quat])
        focal = spec.images[0].height / 2 / np.tan(np.radians(self._model.cam_fovy[camera]) / 2)
        row["intrinsics"] = (focal, focal, spec.images[0].width / 2, spec.images[0].height / 2)
        return row

    def close(self) -> None:
        self._view.close()


def _counts(metres: np.ndarray) -> np.ndarray:
    """(H, W) <u2 in units of _DEPTH_UNIT_M; 0 where nothing was seen."""
    return np.minimum(np.rint(metres / _DEPTH_UNIT_M), 65535).astype("<u2")


def _stream(name: str, options: CameraOptions) -> StreamSpec:
    height, width = options.height, options.width
    images = [ImageField(name="rgb", height=height, width=width, encoding=options.encoding)]
    if options.depth:
        images.append(ImageField(name="depth", height=height, width=width, encoding="zstd",
                                 unit=f"{_DEPTH_UNIT_M} m"))
    return StreamSpec(name=name, rate_hz=options.rate_hz, images=tuple(images), columns=(
        # x right, y down, z ahead (OpenCV); pixel edges count from 0, so the middle is W/2, H/2.
        Column(name="world_from_camera", dtype="<f8", shape=(7,), unit="m",
               names=("x", "y", "z", "qw", "qx", "qy", "qz")),
        Column(name="intrinsics", dtype="<f8", shape=(4,), unit="px",
               names=("fx", "fy", "cx", "cy")),
    ))
