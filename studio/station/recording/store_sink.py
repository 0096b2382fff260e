"""A recorder without a process: what is recorded under the virtual clock, written on the spot.

For short jobs that keep a few episodes (evaluation). Where the arm is real, the recorder is a
process of its own (recorder.py), because a disk may take its time.
"""

import getpass
from typing import Any, cast

from recorders.episode import Detector, EpisodeHeader, EpisodeSummary, Label
from recorders.episode_writer import EpisodeWriter
from recorders.store import DemoStore
from recorders.streams import Batch
from studio.station.commands import AboutEpisode
from studio.station.messages import RecorderHealth
from studio.station.recording.closed_episodes import carry_out


class StoreSink:
    """Writes the open episode into a store; a `RecordSink` that may wait for the disk.

    Args:
        store: open for writing; stays its owner's. None keeps nothing.

    Attributes:
        committed: the episodes that were committed, in order.
    """

    def __init__(self, store: DemoStore | None = None) -> None:
        self._store = store
        self._writer: EpisodeWriter | None = None
        self.committed: list[EpisodeSummary] = []

    def begin(self, header: EpisodeHeader) -> None:
        """Open an episode."""
        if self._store is not None:
            self._writer = self._store.begin(header)

    def append(self, batches: tuple[Batch, ...]) -> None:
        """Write rows and pictures."""
        if self._writer is not None:
            for batch in batches:
                self._writer.append(batch)

    def event(self, t_mono_ns: int, kind: str, **fields: Any) -> None:
        """Write what happened."""
        if self._writer is not None:
            self._writer.event(t_mono_ns, kind, **fields)

    def end(self, ended_mono_ns: int, detector: str, label: str, note: str) -> None:
        """Commit the open episode."""
        if self._writer is None or self._store is None:
            return
        summary = self._writer.commit(ended_mono_ns, cast(Detector, detector))
        self._writer = None
        if label or note:
            summary = self._store.label(summary.episode, cast(Label, label or summary.label), note)
        self.committed.append(summary)

    def discard(self) -> None:
        """Put the open episode away."""
        if self._writer is not None:
            self._writer.discard()
            self._writer = None

    def say(self, about: AboutEpisode) -> None:
        """Say something of a closed episode."""
        if self._store is not None:
            carry_out(self._store, about, getpass.getuser())

    def health(self) -> RecorderHealth:
        """Always there: it is this process."""
        return RecorderHealth(alive=True, committed=len(self.committed))
