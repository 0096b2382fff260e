"""One recorded episode, opened for reading.

Columns are read whole and kept; pictures are decoded one by one when asked for. This file knows
the names and shapes in an episode's group. Whether the episode is committed, how it was labelled
and whether it was put into the trash stand in the store's log, which is none of its business.
"""

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np

from recorders import align
from recorders.array_layout import DamagedRecording, UnknownLayout, read_metadata
from recorders.clock import NS_PER_S
from recorders.column_reader import read_column
from recorders.shard_reader import FrameReader
from recorders.streams import STAMP_COLUMNS, StreamSpec

KNOWN_FORMATS = (1,)


class StreamReader:
    """One stream of an episode: `stream["position"]` is a column, `stream["rgb"]` are pictures.

    Attributes:
        spec: what the device declared.
        path: the stream's Zarr group.
    """

    def __init__(self, path: Path, spec: StreamSpec) -> None:
        self.path = path
        self.spec = spec
        self._images = {image.name: image for image in spec.images}
        self._columns = [name for name, _ in STAMP_COLUMNS] + [c.name for c in spec.columns]
        self._read: dict[str, np.ndarray | FrameReader] = {}

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def __contains__(self, name: str) -> bool:
        return name in self._images or name in self._columns

    @property
    def stamps_ns(self) -> np.ndarray:
        """(N,) int64 monotonic nanoseconds at which the rows arrived."""
        return self.column("t_mono_ns")

    @cached_property
    def taken_ns(self) -> np.ndarray:
        """(N,) int64 monotonic nanoseconds of the moments that the rows tell of: aligned by these.

        The stamps, or where the device has a clock its own on this machine's, less the latency that
        was measured of it.
        """
        stamps_ns = self.column(self.spec.moment_column)
        return stamps_ns - self.spec.latency_ns if self.spec.latency_ns else stamps_ns

    def known_at(self, moments_ns: np.ndarray, waited_ns: int) -> np.ndarray:
        """For every moment, the newest row of it or before that had come in by then.

        Args:
            moments_ns: (M,).
            waited_ns: so long after a moment it is looked at: the latency of the first camera.

        Returns:
            (M,) rows; `align.NOT_YET` where there was none.
        """
        rows = align.latest_before(self.taken_ns, moments_ns)
        if self.taken_ns is self.stamps_ns:
            return rows
        return np.minimum(rows, align.latest_before(self.stamps_ns, moments_ns + waited_ns))

    @property
    def column_names(self) -> tuple[str, ...]:
        """The four stamps, then the stream's own columns."""
        return tuple(self._columns)

    @property
    def image_names(self) -> tuple[str, ...]:
        """The pictures that come with every row."""
        return tuple(self._images)

    def __getitem__(self, name: str) -> Any:
        """A column (N, …) or a `FrameReader`; see `column` and `images`."""
        return self.images(name) if name in self._images else self.column(name)

    def column(self, name: str) -> np.ndarray:
        """A whole column, read once and kept.

        Returns:
            (N, …) read-only.

        Raises:
            KeyError: listing the valid names.
            DamagedRecording: if it cannot be read, or has not as many rows as the stamps.
        """
        self.require(name, self._columns)
        column = self._read.get(name)
        if not isinstance(column, np.ndarray):
            column = read_column(self.path / name)
            if name != "t_mono_ns":
                self._same_length(name, len(column))
            self._read[name] = column
        return column

    def images(self, name: str) -> FrameReader:
        """The pictures of a name.

        Raises:
            KeyError: listing the valid names.
            DamagedRecording: if they cannot be opened, or are not as many as the stamps.
        """
        self.require(name, self._images)
        frames = self._read.get(name)
        if not isinstance(frames, FrameReader):
            frames = FrameReader(self.path / name)
            self._same_length(name, len(frames))
            self._read[name] = frames
        return frames

    def require(self, name: str, among: Collection[str] | None = None) -> None:
        """Raise KeyError, listing what is valid, unless the stream has a column or picture."""
        valid = [*self._columns, *self._images] if among is None else among
        if name not in valid:
            raise KeyError(f"stream '{self.spec.name}' has no '{name}': valid are "
                           f"{', '.join(valid) or 'none'}")

    def _same_length(self, name: str, rows: int) -> None:
        if rows != len(self):
            raise DamagedRecording(f"{self.path / name} has {rows} rows, but its stream has "
                                   f"{len(self)} stamps")



class EpisodeReader:
    """One episode: `episode["front"]["rgb"][7]`, `episode["arm"]["position"]`.

    Attributes:
        path: the episode's Zarr group.
        attrs: its attributes as FORMAT.md lists them.
        streams: name to reader, in the order in which they were declared.
    """

    def __init__(self, path: Path | str) -> None:
        """Open an episode.

        Args:
            path: the episode's group, as `DemoStore.episode_path` gives it.

        Raises:
            DamagedRecording: if there is no episode, or its attributes cannot be read.
            UnknownLayout: if it was written in a format that this version does not know.
        """
        self.path = Path(path)
        self.attrs: dict[str, Any] = read_metadata(self.path).get("attributes", {})
        if "format" not in self.attrs:
            raise DamagedRecording(f"{self.path} is no episode: its attributes have no 'format'")
        if self.attrs["format"] not in KNOWN_FORMATS:
            raise UnknownLayout(f"{self.path} has format {self.attrs['format']}; this version "
                                f"reads {KNOWN_FORMATS}: update Tandem Studio to open it")
        try:
            specs = msgspec.convert(self.attrs["streams"], tuple[StreamSpec, ...])
        except (KeyError, msgspec.ValidationError) as error:
            raise DamagedRecording(f"{self.path / 'zarr.json'}: 'streams' cannot be read: {error}"
                                   ) from error
        self.streams: Mapping[str, StreamReader] = MappingProxyType(
            {spec.name: StreamReader(self.path / spec.name, spec) for spec in specs})

    def __getitem__(self, stream: str) -> StreamReader:
        """A stream by its name.

        Raises:
            KeyError: listing the valid names.
        """
        if stream not in self.streams:
            raise KeyError(f"episode {self.episode} has no stream '{stream}': valid are "
                           f"{', '.join(self.streams)}")
        return self.streams[stream]

    def __contains__(self, stream: str) -> bool:
        return stream in self.streams

    @property
    def episode(self) -> str:
        """The episode's id."""
        return self.attrs["episode"]

    @property
    def instruction(self) -> str:
        """What was asked when the recording began; a relabelling stands in the store's log."""
        return self.attrs["instruction"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened, in order: each with `t_mono_ns` and `kind`."""
        return self.attrs.get("events", [])

    @cached_property
    def duration_s(self) -> float:
        """From the episode's begin to its end."""
        return (self.attrs["ended_mono_ns"] - self.attrs["started_mono_ns"]) / NS_PER_S
