"""What every camera's thread does, whoever's driver it calls: open, wait, go on after a loss.

One round is a `step`: it opens the camera or waits for its next frame, and whatever its driver
raises becomes a sentence, a release, and another try in half a second; the arm goes on, and the
stream's silence is shown. Pictures are encoded here, once. Knows streams and batches; refuses to
know any driver.
"""

from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np

from recorders.clock import Clock
from recorders.images import encode
from recorders.picture_pair import encode_colours
from recorders.reduced_pictures import with_reduced
from recorders.streams import Batch, Encoding, ImageField, StreamSpec
from studio.devices.reader import RETRY_S

KEPT = 8                # frames that wait for whoever takes them


class CameraThread(ABC):
    """One camera; who extends it opens it, waits for its frames and closes it.

    Args:
        clock: stamps what arrives.
        name: of the stream.
        kind: as a person calls it: "opencv".
        remedy: what to do when it is lost.

    Attributes:
        spec: of the stream; set by who extends this.
        fault: empty, or one sentence on what is wrong and what to do.
        connected: whether it is open.
        refused: whether trying again to open it is of no use.
    """

    spec: StreamSpec

    def __init__(self, clock: Clock, name: str, kind: str, remedy: str) -> None:
        self.fault, self.connected, self.refused = "", False, False
        self._clock, self._name, self._kind, self._remedy = clock, name, kind, remedy
        self._device: Any = None
        self._batches: deque[Batch] = deque(maxlen=KEPT)

    def take(self) -> list[Batch]:
        """What arrived since the last call."""
        return [self._batches.popleft() for _ in range(len(self._batches))]

    # ---- in its own thread -----------------------------------------------------------------------

    def step(self) -> float:
        """One round: open it, or wait for its next frame; returns the pause in s until the next."""
        try:
            if not self.connected:
                self._open()
                self.connected = True
            self._wait_for_frame()
            return 0.0
        except Exception as error:      # the worker's outermost edge: drivers raise what they like
            trouble = "gives no pictures" if self.connected else "cannot be opened"
            self.fault = self._trouble(trouble, error)
            self.release()
            return RETRY_S

    def release(self) -> None:
        """Let go of the camera."""
        device, self._device, self.connected = self._device, None, False
        if device is not None:
            with suppress(Exception):       # an unplugged one raises; it is gone either way
                self._close(device)

    @abstractmethod
    def _open(self) -> Any:
        """Open the camera and keep it in `_device`; raises what its driver raises."""

    @abstractmethod
    def _wait_for_frame(self) -> None:
        """Wait for the next frame, and `_keep` it; raises if none comes in time."""

    @abstractmethod
    def _close(self, device: Any) -> None:
        """Close what `_open` kept."""

    # ---- for who extends it ----------------------------------------------------------------------

    def _row(self, seq: int, now_ns: int) -> np.ndarray:
        """A row of the stream, its host stamps and its number filled in."""
        row = np.zeros(1, self.spec.row_dtype)
        row["t_mono_ns"], row["t_wall_ns"], row["seq"] = now_ns, self._clock.wall_ns(), seq
        return row

    def _keep(self, row: np.ndarray, colour: np.ndarray, depth: np.ndarray | None) -> None:
        """Leave a frame for whoever takes it: (H, W, 3) u1 and (H, W) counts."""
        images = encode_colours(np.ascontiguousarray(colour), "rgb", self.spec.images)
        if depth is not None:
            images["depth"] = encode(np.ascontiguousarray(depth, "<u2"), "zstd")
        self._batches.append(Batch(self.spec.name, row, (images,)))

    def _trouble(self, trouble: str, error: Exception) -> str:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        return f"camera '{self._name}' ({self._kind}) {trouble} ({why}): {self._remedy}"


def image_fields(height: int, width: int, encoding: Encoding, depth_unit: str = ""
                 ) -> tuple[ImageField, ...]:
    """The pictures of a camera: colour, a smaller copy of it, and depth if it has a unit."""
    colour = ImageField(name="rgb", height=height, width=width, encoding=encoding)
    depth = ImageField(name="depth", height=height, width=width, encoding="zstd", unit=depth_unit)
    return (*with_reduced(colour), *((depth,) if depth_unit else ()))
