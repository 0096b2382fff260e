"""One open episode: takes batches, keeps them safe, and becomes a committed episode.

`append` hands bytes to the operating system and returns: pictures go behind the last one in their
shard, then one journal record makes the row valid. It never calls fsync: a thread (SyncThread) does
that, seals full shards and writes full chunks. So a killed process loses nothing that `append`
took, and a power cut at most half a second. This file knows one episode; its files are
EpisodeFiles, what ending it takes is in episode_closing.py, the store around it is StoreHands.
"""

from typing import Any

import msgspec
import numpy as np

from recorders.batch_check import require_fitting
from recorders.episode import DETECTOR_VERDICTS, Detector, EpisodeSummary, plain
from recorders.episode_closing import give_up_broken, publish, write_down, write_down_when_full
from recorders.episode_files import EpisodeFiles
from recorders.files import means_full
from recorders.journal import JournalHeader, Placement
from recorders.shard_writer import ImageWriter
from recorders.store_errors import DiskFull, StoreError
from recorders.store_hands import StoreHands
from recorders.streams import Batch, ImageField
from recorders.sync_thread import SyncThread

SYNC_OVERDUE_NS = 400_000_000


class EpisodeWriter:
    """An episode that is being recorded. One thread calls it.

    After DiskFull the episode is closed and committed with everything that was acknowledged;
    `commit` and `discard` then return its summary.
    """

    def __init__(self, store: StoreHands, journal_header: JournalHeader) -> None:
        header = journal_header.header
        self.header = header
        self._store = store
        self._numbers = {spec.name: number for number, spec in enumerate(header.streams)}
        self._dtypes = [spec.row_dtype for spec in header.streams]
        self._summary: EpisodeSummary | None = None
        self._closed = False
        self._dirty = False
        self._synced_ns = store.clock.now_ns()
        self._files = EpisodeFiles(store.folders, journal_header)
        self._group, self._journal = self._files.group, self._files.journal
        self._sync_thread = SyncThread(f"sync-{header.episode}", self._sync)
        self._sync_thread.nudge()       # for the beginning, which should be safe at once

    @property
    def open(self) -> bool:
        """Whether it still takes batches."""
        return not self._closed

    @property
    def kept(self) -> bool:
        """Whether it is committed; a full disk closes and keeps it by itself."""
        return self._summary is not None

    def append(self, batch: Batch) -> None:
        """Take rows of one stream; they survive a SIGKILL when this returns.

        Raises:
            StoreError: if the batch does not fit the episode's streams; nothing is recorded then.
            DiskFull: if there is no room. The episode is closed with everything before this batch.
        """
        self._require_open()
        number = require_fitting(batch, self._numbers, self.header.streams, self._dtypes)
        images = self.header.streams[number].images
        try:
            self._raise_sync_error()
            if images:
                self._append_with_pictures(number, images, batch)
            elif len(batch.rows):
                self._append_rows(number, batch.rows)
        except OSError as error:
            self._give_up(error)
        self.sync_if_due()

    def event(self, t_mono_ns: int, kind: str, **fields: Any) -> None:
        """Record that something happened.

        Args:
            t_mono_ns: when, on the monotonic clock.
            kind: what, in one word.
            fields: plain values.
        """
        self._require_open()
        event = msgspec.to_builtins({"t_mono_ns": int(t_mono_ns), "kind": kind, **fields},
                                    enc_hook=plain)
        try:
            self._raise_sync_error()
            self._journal.event(event)
        except OSError as error:
            self._give_up(error)
        self._group.events.append(event)
        self._dirty = True

    def sync_if_due(self) -> None:
        """Have the disk written if that is overdue, and raise what went wrong there.

        The thread comes round by itself; this makes a late one hurry, and never waits for it.
        """
        self._require_open()
        clock = self._store.clock
        if not clock.virtual and clock.now_ns() - self._synced_ns > SYNC_OVERDUE_NS:
            self._sync_thread.nudge()
        try:
            self._raise_sync_error()
        except OSError as error:
            self._give_up(error)

    def commit(self, ended_mono_ns: int, detector: Detector = "") -> EpisodeSummary:
        """Close the episode and commit it; it is safe from a power cut when this returns.

        Args:
            ended_mono_ns: when it ended.
            detector: the verdict of the task's success detector, if there is one.
        """
        if detector not in DETECTOR_VERDICTS:
            raise StoreError(f"a detector cannot say '{detector}': valid are 'success', 'failure' "
                             f"and '' (nothing)")
        return self._end(ended_mono_ns, detector, trashed=False)

    def discard(self) -> EpisodeSummary:
        """Close the episode and put it into the trash, from where it can be restored."""
        return self._end(self._group.last_stamp_ns, "", trashed=True)

    def abandon(self) -> None:
        """Let go of everything as a crash would: the episode counts as interrupted."""
        if self._closed:
            return
        self._closed = True
        self._sync_thread.stop()
        self._files.let_go()

    def _append_rows(self, number: int, rows: np.ndarray) -> None:
        stream = self._group.streams[number]
        data = rows.tobytes()
        self._journal.rows(number, stream.rows, len(rows), data)
        stream.add(np.frombuffer(data, rows.dtype))
        self._dirty = True

    def _append_with_pictures(
        self, number: int, images: tuple[ImageField, ...], batch: Batch
    ) -> None:
        stream, writers = self._group.streams[number], self._files.images[number]
        for i, pictures in enumerate(batch.images):
            row = batch.rows[i:i + 1]
            data = row.tobytes()
            written: list[ImageWriter] = []
            placed: list[Placement] = []
            try:
                for image in images:
                    placed.append(writers[image.name].append(pictures[image.name]))
                    written.append(writers[image.name])
                self._journal.rows(number, stream.rows, 1, data, [tuple(placed)])
            except OSError:
                for writer in written:
                    writer.take_back()
                raise
            stream.add(np.frombuffer(data, row.dtype))
            self._dirty = True
            for writer in written:
                writer.row_done()

    def _sync(self) -> None:
        """The sync thread's round."""
        if self._files.sync_beginning():
            return
        self._files.write_full()
        if self._dirty:
            began_ns = self._store.clock.now_ns()
            self._dirty = False         # before the fsyncs: what comes meanwhile is dirty again
            self._files.sync()
            self._synced_ns = began_ns

    def _end(self, ended_mono_ns: int, detector: Detector, trashed: bool) -> EpisodeSummary:
        if self._summary is not None:
            return self._summary        # a full disk closed it already
        self._require_open()
        self._closed = True
        self._sync_thread.stop()
        try:
            self._raise_sync_error()
            summary = write_down(self._files, ended_mono_ns, detector, trashed)
        except OSError as error:
            if not means_full(error):
                raise give_up_broken(self._files, error) from error
            summary = write_down_when_full(self._store, self._files, error, ended_mono_ns,
                                           detector, trashed)
        return self._publish(summary)

    def _publish(self, summary: EpisodeSummary) -> EpisodeSummary:
        publish(self._store, self._files, summary)
        self._summary = summary
        return summary

    def _give_up(self, error: OSError) -> None:
        """End the episode because nothing more can be written.

        Raises:
            DiskFull: always, if that is the reason.
            StoreError: for any other reason; the journal keeps what was acknowledged.
        """
        self._closed = True
        self._sync_thread.stop()
        if not means_full(error):
            raise give_up_broken(self._files, error) from error
        summary = write_down_when_full(self._store, self._files, error,
                                       self._group.last_stamp_ns, "", False)
        self._publish(summary)
        raise DiskFull(
            f"the disk is full: episode {summary.episode} was closed after "
            f"{summary.duration_s:.1f} s and kept with everything acknowledged until then; free "
            f"some space before recording on", summary.episode) from error

    def _raise_sync_error(self) -> None:
        if self._sync_thread.error is not None:
            raise self._sync_thread.error

    def _require_open(self) -> None:
        if self._summary is not None and self._closed:
            raise StoreError(f"episode {self.header.episode} is closed already: begin a new one")
        if self._closed:
            raise StoreError(f"episode {self.header.episode} was abandoned: recover it")
