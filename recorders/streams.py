"""What flows: named streams of stamped rows, some with pictures.

A stream is produced by one device (or by the control loop) at its own rate and is recorded as it
came. Its rows are NumPy structured records, so a row *is* its bytes: the same bytes travel over
the bus, into the journal and, column by column, into Zarr. Pictures travel encoded, as the capture
thread made them, and are never encoded twice.
"""

from typing import Literal

import msgspec
import numpy as np

Encoding = Literal["jpeg", "jpegxl-lossless", "zstd"]

# Every row starts with these. `seq` counts what the *device* produced: a gap is a dropped sample.
STAMP_COLUMNS: tuple[tuple[str, str], ...] = (
    ("t_mono_ns", "<i8"),    # this machine's monotonic clock, taken where the sample arrived
    ("t_wall_ns", "<i8"),    # the same moment since the Unix epoch
    ("t_device_ns", "<i8"),  # the device's own clock; 0 if it has none
    ("seq", "<i8"),
)

# A column of streams whose device has a clock: its own stamp on this machine's monotonic clock.
TAKEN = "t_taken_ns"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A fixed-size quantity in every row of a stream."""

    name: str
    dtype: str                          # a little-endian NumPy type string: "<f8", "<f4", "u1"
    shape: tuple[int, ...] = ()
    unit: str = ""                      # "rad", "m", "N": as in the field's papers
    names: tuple[str, ...] = ()         # of the last axis: joint names, "x y z rx ry rz"
    values: tuple[str, ...] = ()        # of codes: values[i] is what code i, or bit i, means


class ImageField(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that comes with every row of a stream."""

    name: str                           # "rgb", "depth", or "rgb_small" of a large "rgb"
    height: int
    width: int
    encoding: Encoding                  # "jpeg"/"jpegxl-lossless": u1 (H, W, 3); "zstd": <u2 (H, W)
    unit: str = ""                      # depth: metres per count, for example "0.001 m"
    reduced_from: str = ""              # of a copy: the same camera's picture that it was made from
    factor: int = 1                     # of a copy: a pixel is the mean of factor × factor of it


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as its device declares it before connecting."""

    name: str                           # becomes the Zarr group's name: "arm", "front", "tick"
    rate_hz: float                      # 0: a row comes when something happens
    columns: tuple[Column, ...] = ()
    images: tuple[ImageField, ...] = ()
    latency_ns: int = 0                 # from the moment that a row tells of to its stamp

    @property
    def moment_column(self) -> str:
        """Which stamp, less `latency_ns`, is the moment that a row tells of."""
        mapped = any(column.name == TAKEN for column in self.columns)
        return TAKEN if mapped else "t_mono_ns"

    @property
    def original_images(self) -> tuple[ImageField, ...]:
        """What the camera itself saw: the pictures without their reduced copies."""
        return tuple(image for image in self.images if not image.reduced_from)

    @property
    def row_dtype(self) -> np.dtype:
        """The structured type of one row: stamps first, then the columns in order."""
        own = [(c.name, c.dtype, c.shape) for c in self.columns]
        return np.dtype([*STAMP_COLUMNS, *own])


class Batch(msgspec.Struct, frozen=True):
    """Rows of one stream in the order in which they were produced.

    Attributes:
        stream: the name of the stream.
        rows: (N,) of the stream's `row_dtype`.
        images: for a camera stream, one mapping per row from image name to encoded bytes.
    """

    stream: str
    rows: np.ndarray
    images: tuple[dict[str, bytes | memoryview], ...] = ()

    def between(self, first_ns: int, last_ns: int) -> "Batch":
        """The rows whose monotonic stamp lies in [first_ns, last_ns]."""
        stamps = self.rows["t_mono_ns"]
        if len(stamps) == 0 or (first_ns <= stamps[0] and stamps[-1] <= last_ns):
            return self
        keep = np.flatnonzero((stamps >= first_ns) & (stamps <= last_ns))
        return Batch(self.stream, self.rows[keep], tuple(self.images[i] for i in keep)
                     if self.images else ())
