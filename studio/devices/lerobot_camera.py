"""A LeRobot camera as a stream of ours: its own thread, host stamps, pictures encoded once.

Colour, and depth where the camera gives it. LeRobot hands out frames without their numbers, so a
gap in `seq` is told from the time between two frames. Knows LeRobot's `Camera`; refuses to know
robots.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, Clock
from recorders.streams import Encoding, StreamSpec
from studio.devices.camera_thread import CameraThread, image_fields
from studio.devices.interfaces import DeviceError

FRAME_MS = 1000.0       # a camera that gives no frame for so long is opened anew
_DEPTH_UNIT = "0.001 m"     # as LeRobot's RealSense cameras count
_REMEDY = ("see that it is plugged in and that no other program uses it; `lerobot-find-cameras` "
           "lists what is there")


class Picture(msgspec.Struct, frozen=True):
    """What a camera will deliver: pixels, and pictures a second."""

    height: int
    width: int
    fps: float


class LerobotCamera(CameraThread):
    """One camera.

    Args:
        clock: stamps what arrives.
        name: of the stream.
        config: LeRobot's; what it leaves open the camera is asked.
        make: LeRobot's camera of it, not connected.
        encoding: of the colour pictures.

    Raises:
        DeviceError: it has to be asked for its width, height or fps, and cannot be.
    """

    def __init__(self, clock: Clock, name: str, config: Any, make: Callable[[], Any],
                 encoding: Encoding) -> None:
        super().__init__(clock, name, config.type, _REMEDY)
        self._make, self._depth = make, bool(getattr(config, "use_depth", False))
        picture = self._declared(config)
        self._period_ns = NS_PER_S / picture.fps
        self._seq, self._newest_ns = -1, 0
        self.spec = StreamSpec(name=name, rate_hz=picture.fps, images=image_fields(
            picture.height, picture.width, encoding, _DEPTH_UNIT if self._depth else ""))

    def _declared(self, config: Any) -> Picture:
        """What its config says, or what the camera itself says where the config does not."""
        if None not in (config.height, config.width, config.fps):
            return Picture(config.height, config.width, config.fps)
        camera = self._make()
        try:
            camera.connect(warmup=False)
            return Picture(int(camera.height), int(camera.width), float(camera.fps or config.fps))
        except Exception as error:      # drivers raise what they like
            trouble = self._trouble("cannot be asked what pictures it gives", error)
            raise DeviceError(f"{trouble}; or say its width, height and fps") from error
        finally:
            with suppress(Exception):   # one that did not open raises on closing
                camera.disconnect()

    def _open(self) -> None:
        camera = self._make()
        camera.connect()
        self._device, self.fault = camera, ""

    def _close(self, device: Any) -> None:
        device.disconnect()

    def _wait_for_frame(self) -> None:
        colour = self._device.async_read(timeout_ms=FRAME_MS)
        now_ns = self._clock.now_ns()
        passed = (now_ns - self._newest_ns) / self._period_ns if self._newest_ns else 1.0
        self._seq, self._newest_ns = self._seq + max(1, round(passed)), now_ns
        depth = np.asarray(self._device.read_latest_depth()).squeeze() if self._depth else None
        self._keep(self._row(self._seq, now_ns), colour, depth)
