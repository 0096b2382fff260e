"""The Zarr group of one episode: its columns, shapes and attributes.

The recording writer and the replay of a journal both build an episode through this file, so that a
recovered episode cannot differ from a recorded one. It counts what it is given (rows, gaps in
`seq`, the newest stamp). Pictures are not its business, only the shapes of their arrays.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from recorders.clock import NS_PER_S
from recorders.column_writer import ColumnWriter
from recorders.episode import Detector, EpisodeSummary
from recorders.files import bytes_of_tree, make_folder, write_atomically
from recorders.journal import Event, JournalHeader
from recorders.streams import StreamSpec
from recorders.zarr_metadata import group_json, image_json

FORMAT_VERSION = 1
STEP_STREAM = "tick"


class StreamGroup:
    """One stream's columns, and what is counted about it."""

    def __init__(self, folder: Path, spec: StreamSpec) -> None:
        self.folder = folder
        self.spec = spec
        self.columns = ColumnWriter(folder, spec)
        self.dropped = 0
        self.last_stamp_ns: int | None = None
        self._last_seq: int | None = None

    @property
    def rows(self) -> int:
        """How many rows it has been given."""
        return self.columns.rows

    def add(self, rows: np.ndarray) -> None:
        """Take rows (N,) of the stream's type; they must not change afterwards."""
        if not len(rows):
            return
        self.columns.add(rows)
        seq = rows["seq"]
        before = seq[0] - 1 if self._last_seq is None else self._last_seq
        steps = np.diff(seq, prepend=before)
        # A step back is a device that was plugged in again, not a loss.
        self.dropped += int((steps[steps > 1] - 1).sum())
        self._last_seq = int(seq[-1])
        self.last_stamp_ns = int(rows["t_mono_ns"][-1])

    def write_image_shape(self, name: str, rows: int) -> None:
        """Say how many pictures of an image array may be read."""
        image = next(image for image in self.spec.images if image.name == name)
        folder = self.folder / name
        make_folder(folder, inside=self.folder.parent)
        write_atomically(folder / "zarr.json", image_json(image, rows))


class EpisodeGroup:
    """One episode's group under construction."""

    def __init__(self, folder: Path, journal_header: JournalHeader) -> None:
        self.folder = folder
        self.header = journal_header.header
        self.events: list[Event] = []
        self.streams = [StreamGroup(folder / spec.name, spec) for spec in self.header.streams]
        self._model = journal_header.model

    @property
    def last_stamp_ns(self) -> int:
        """The newest monotonic stamp of any row, or the episode's beginning."""
        stamps = [stream.last_stamp_ns for stream in self.streams]
        return max((stamp for stamp in stamps if stamp is not None),
                   default=self.header.started_mono_ns)

    def write_full_chunks(self) -> None:
        """Write the chunks that are full."""
        for stream in self.streams:
            stream.columns.write_full_chunks()

    def finish(
        self, *, ended_mono_ns: int, detector: Detector, recovered: bool, trashed: bool,
        sealed: Callable[[], None] = lambda: None,
    ) -> EpisodeSummary:
        """Write the remaining rows, the shapes and the attributes.

        May be called again after an OSError.

        Args:
            sealed: returns when all pictures are; until then their files change their names.
        """
        for stream in self.streams:
            stream.columns.finish()
            for image in stream.spec.images:
                stream.write_image_shape(image.name, stream.rows)
            write_atomically(stream.folder / "zarr.json",
                             group_json({"rate_hz": stream.spec.rate_hz}))
        sealed()
        summary = self._summary(ended_mono_ns, detector, recovered, trashed)
        self._write_attributes(ended_mono_ns, summary)
        return summary

    def _summary(
        self, ended_mono_ns: int, detector: Detector, recovered: bool, trashed: bool
    ) -> EpisodeSummary:
        header = self.header
        rows = {stream.spec.name: stream.rows for stream in self.streams}
        return EpisodeSummary(
            episode=header.episode, task=header.task, instruction=header.instruction,
            label=detector or "unlabelled", label_by="detector" if detector else "", note="",
            detector=detector, seed=header.seed, operator=header.operator,
            duration_s=max(0, ended_mono_ns - header.started_mono_ns) / NS_PER_S,
            steps=rows.get(STEP_STREAM, 0),
            dropped=sum(stream.dropped for stream in self.streams),
            started_wall_ns=header.started_wall_ns, recovered=recovered, trashed=trashed,
            bytes=bytes_of_tree(self.folder), rows=rows)

    def _write_attributes(self, ended_mono_ns: int, summary: EpisodeSummary) -> None:
        header = self.header
        attributes = {
            "format": FORMAT_VERSION,
            "episode": header.episode, "task": header.task, "instruction": header.instruction,
            "seed": header.seed, "operator": header.operator, "practice": header.practice,
            "robot": header.robot, "model": self._model,
            "started_mono_ns": header.started_mono_ns, "started_wall_ns": header.started_wall_ns,
            "ended_mono_ns": ended_mono_ns, "duration_s": summary.duration_s,
            "steps": summary.steps, "dropped": summary.dropped, "bytes": summary.bytes,
            "rows": summary.rows, "streams": msgspec.to_builtins(header.streams),
            "events": self.events, "detector": summary.detector,
            "recovered": summary.recovered, "software": header.software,
        }
        write_atomically(self.folder / "zarr.json", group_json(attributes))
