"""A LeRobot camera as a stream of ours: its own thread, host stamps, pictures encoded once.

Colour, and depth where the camera gives it. LeRobot hands out frames without their numbers, so a
gap in `seq` is told from the time between two frames. A camera that is lost is opened again; the
arm goes on, and the stream's silence is shown. Knows LeRobot's `Camera`; refuses to know robots.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, Clock
from recorders.images import encode
from recorders.picture_pair import encode_colours
from recorders.reduced_pictures import with_reduced
from recorders.streams import Batch, Encoding, ImageField, StreamSpec
from studio.devices.interfaces import DeviceError
from studio.devices.reader import RETRY_S

FRAME_MS = 1000.0       # a camera that gives no frame for so long is opened anew
KEPT = 8                # frames that wait for whoever takes them
_DEPTH_UNIT = "0.001 m"     # as LeRobot's RealSense cameras count


class Picture(msgspec.Struct, frozen=True):
    """What a camera will deliver: pixels, and pictures a second."""

    height: int
    width: int
    fps: float


def declared_picture(name: str, config: Any, make: Callable[[], Any]) -> Picture:
    """What a camera's config says, or what the camera itself says where the config does not.

    Raises:
        DeviceError: it does not say, or cannot be opened to be asked.
    """
    if None not in (config.height, config.width, config.fps):
        return Picture(config.height, config.width, config.fps)
    camera = make()
    try:
        camera.connect(warmup=False)
        asked = Picture(int(camera.height), int(camera.width), float(camera.fps or config.fps))
    except Exception as error:      # drivers raise what they like
        raise DeviceError(_trouble(name, config.type, "cannot be asked what pictures it gives",
                                   error) + "; or say its width, height and fps") from error
    finally:
        with suppress(Exception):   # one that did not open raises on closing
            camera.disconnect()
    return asked


class LerobotCamera:
    """One camera; `step` is one round of its thread.

    Args:
        clock: stamps what arrives.
        name: of the stream.
        config: LeRobot's; what it leaves open the camera is asked.
        make: LeRobot's camera of it, not connected.
        encoding: of the colour pictures.

    Attributes:
        spec: of the stream.
        fault: empty, or one sentence on what is wrong and what to do.
        connected: whether it is open.
        refused: whether trying again to open it is of no use.

    Raises:
        DeviceError: it has to be asked for its width, height or fps, and cannot be.
    """

    def __init__(self, clock: Clock, name: str, config: Any, make: Callable[[], Any],
                 encoding: Encoding) -> None:
        picture = declared_picture(name, config, make)
        self.fault, self.connected, self.refused = "", False, False
        self._clock, self._name, self._make = clock, name, make
        self._depth = bool(getattr(config, "use_depth", False))
        self._type = config.type
        self._period_ns = NS_PER_S / picture.fps
        images = [*with_reduced(ImageField(name="rgb", height=picture.height, width=picture.width,
                                           encoding=encoding))]
        if self._depth:
            images.append(ImageField(name="depth", height=picture.height, width=picture.width,
                                     encoding="zstd", unit=_DEPTH_UNIT))
        self.spec = StreamSpec(name=name, rate_hz=picture.fps, images=tuple(images))
        self._camera: Any = None
        self._batches: deque[Batch] = deque(maxlen=KEPT)
        self._seq, self._newest_ns = -1, 0

    def take(self) -> list[Batch]:
        """What arrived since the last call."""
        return [self._batches.popleft() for _ in range(len(self._batches))]

    # ---- in its own thread -----------------------------------------------------------------------

    def step(self) -> float:
        """One round: open it, or wait for its next frame; returns the pause in s until the next."""
        try:
            if not self.connected:
                self._open()
            picture = self._camera.async_read(timeout_ms=FRAME_MS)
            self._keep(self._clock.now_ns(), picture)
            return 0.0
        except Exception as error:      # the worker's outermost edge: drivers raise what they like
            trouble = "gives no pictures" if self.connected else "cannot be opened"
            self.fault = _trouble(self._name, self._type, trouble, error)
            self.release()
            return RETRY_S

    def release(self) -> None:
        """Let go of the camera."""
        camera, self._camera, self.connected = self._camera, None, False
        if camera is not None:
            with suppress(Exception):       # an unplugged one raises; it is gone either way
                camera.disconnect()

    def _open(self) -> None:
        camera = self._make()
        camera.connect()
        self._camera = camera
        self.connected, self.fault = True, ""

    def _keep(self, now_ns: int, picture: np.ndarray) -> None:
        passed = (now_ns - self._newest_ns) / self._period_ns if self._newest_ns else 1.0
        self._seq, self._newest_ns = self._seq + max(1, round(passed)), now_ns
        row = np.zeros(1, self.spec.row_dtype)
        row["t_mono_ns"], row["t_wall_ns"], row["seq"] = now_ns, self._clock.wall_ns(), self._seq
        images = encode_colours(np.ascontiguousarray(picture), "rgb", self.spec.images)
        if self._depth:
            depth = np.asarray(self._camera.read_latest_depth()).squeeze()
            images["depth"] = encode(np.ascontiguousarray(depth, "<u2"), "zstd")
        self._batches.append(Batch(self.spec.name, row, (images,)))


def _trouble(name: str, camera_type: str, trouble: str, error: Exception) -> str:
    why = " ".join(str(error).split())[:200] or type(error).__name__
    return (f"camera '{name}' ({camera_type}) {trouble} ({why}): see that it is plugged in and "
            "that no other program uses it; `lerobot-find-cameras` lists what is there")
