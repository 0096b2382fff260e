"""A thread that makes pictures of moments, so that drawing overlaps with physics.

Knows when a picture counts as arrived and how its row and bytes come about; what is drawn from is
the business of whoever fills the thread: a `Darkroom`. The capture schedule is the robot's.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import msgspec
import numpy as np

from recorders.images import encode
from recorders.picture_pair import encode_colours
from recorders.reduced_pictures import with_reduced
from recorders.streams import Batch, Column, Encoding, ImageField, StreamSpec
from studio.devices.interfaces import DeviceError

# From exposure to arrival, as a USB camera's first byte needs; under a virtual clock a picture
# arrives exactly this late, however long drawing took.
LATENCY_NS = 20_000_000
# One being drawn and one that came due while physics caught up; a third one is skipped.
_MOST_PENDING = 2
_DEPTH_UNIT_M = 0.001


class Snapshot(msgspec.Struct, frozen=True):
    """A moment to take pictures of: its stamps as in a row, and what the darkroom draws from."""

    t_mono_ns: int
    t_wall_ns: int
    t_device_ns: int
    seq: int
    state: Any


class Shot(msgspec.Struct, frozen=True):
    """What one camera saw.

    Attributes:
        rgb: (H, W, 3) u1.
        metres: (H, W) along the optical axis, 0 where nothing was seen; None without depth.
        world_from_camera: (7,) x y z qw qx qy qz; the camera looks along z with y down.
        intrinsics: (4,) fx fy cx cy in pixels; pixel edges count from 0.
    """

    rgb: np.ndarray
    metres: np.ndarray | None
    world_from_camera: np.ndarray
    intrinsics: np.ndarray


class Darkroom(Protocol):
    """Lives in the thread: it is made, used and closed there, because an OpenGL context must be."""

    def shoot(self, camera: str, state: Any) -> Shot:
        """Draw what a camera sees of a state. Consecutive calls may share a state."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class PictureThread:
    """Owns the thread in which the pictures are made.

    Args:
        streams: one per camera, made by `camera_stream`.
        open_darkroom: called in the thread; may raise DeviceError.
        latency_ns: from a picture's stamp to its arrival; 0: stamped as it arrives.

    Attributes:
        streams: as given.
        newest: (H, W, 3) u1 per camera, of the last batch collected.
    """

    def __init__(self, streams: Sequence[StreamSpec],
                 open_darkroom: Callable[[], Darkroom], *,
                 latency_ns: int = LATENCY_NS) -> None:
        self.streams = tuple(streams)
        self.newest: dict[str, np.ndarray] = {}
        self._open_darkroom, self._latency_ns = open_darkroom, latency_ns
        self._pending: deque[tuple[int, Future[_Exposure]]] = deque()
        self._thread: ThreadPoolExecutor | None = None
        self._darkroom: Darkroom | None = None

    def start(self) -> None:
        """Start the thread and open the darkroom in it.

        Raises:
            DeviceError: if nothing can be drawn here.
        """
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sim-cameras")
        try:
            self._darkroom = self._thread.submit(self._open_darkroom).result()
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
        return sum(not exposure.done() for _, exposure in self._pending) >= _MOST_PENDING

    def capture(self, snapshot: Snapshot) -> None:
        """Take a picture of a moment with every camera; returns at once."""
        if self._thread is None or self._darkroom is None:
            raise DeviceError("the simulated cameras are not running: connect the robot first")
        self._pending.append((snapshot.t_mono_ns, self._thread.submit(
            _expose, self._darkroom, self.streams, snapshot)))

    def collect(self, now_ns: int, *, wait: bool) -> list[Batch]:
        """What has arrived, in order.

        Args:
            now_ns: monotonic.
            wait: True under a virtual clock: exactly what has arrived by now, waiting for the
                thread if need be. False in real time: what is ready, and not stamped later.

        Raises:
            DeviceError: if drawing failed.
        """
        batches: list[Batch] = []
        while self._pending:
            stamp_ns, exposure = self._pending[0]
            due = stamp_ns + self._latency_ns <= now_ns if wait \
                else stamp_ns <= now_ns and exposure.done()
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


def _expose(darkroom: Darkroom, streams: Sequence[StreamSpec], snapshot: Snapshot) -> _Exposure:
    try:
        shots = {spec.name: darkroom.shoot(spec.name, snapshot.state) for spec in streams}
        return _Exposure([_batch(spec, snapshot, shots[spec.name]) for spec in streams],
                         {name: shot.rgb for name, shot in shots.items()})
    except Exception as error:      # the thread's outermost edge: whatever GL may throw
        raise DeviceError(f"the simulated cameras failed: {error}; reconnect the robot, or "
                          "start it without cameras") from error


def _batch(spec: StreamSpec, snapshot: Snapshot, shot: Shot) -> Batch:
    row = np.zeros(1, spec.row_dtype)
    for name in ("t_mono_ns", "t_wall_ns", "t_device_ns", "seq"):
        row[name] = getattr(snapshot, name)
    row["world_from_camera"], row["intrinsics"] = shot.world_from_camera, shot.intrinsics
    images = encode_colours(shot.rgb, "rgb", spec.images)
    if shot.metres is not None:
        images["depth"] = encode(_counts(shot.metres), "zstd")
    return Batch(spec.name, row, (images,))


def _counts(metres: np.ndarray) -> np.ndarray:
    """(H, W) <u2 in units of _DEPTH_UNIT_M; 0 where nothing was seen."""
    return np.minimum(np.rint(metres / _DEPTH_UNIT_M), 65535).astype("<u2")


def camera_stream(name: str, *, height: int, width: int, rate_hz: float, depth: bool,
                  encoding: Encoding) -> StreamSpec:
    """The stream of one camera; large pictures get a reduced copy beside them."""
    images = [*with_reduced(ImageField(name="rgb", height=height, width=width, encoding=encoding))]
    if depth:
        images.append(ImageField(name="depth", height=height, width=width, encoding="zstd",
                                 unit=f"{_DEPTH_UNIT_M} m"))
    return StreamSpec(name=name, rate_hz=rate_hz, images=tuple(images), columns=(
        # x right, y down, z ahead (OpenCV); pixel edges count from 0, so the middle is W/2, H/2.
        Column(name="world_from_camera", dtype="<f8", shape=(7,), unit="m",
               names=("x", "y", "z", "qw", "qx", "qy", "qz")),
        Column(name="intrinsics", dtype="<f8", shape=(4,), unit="px",
               names=("fx", "fy", "cx", "cy")),
    ))
