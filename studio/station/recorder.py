"""The recorder's process: takes what the control loop hands over and writes the store.

It may wait for the disk, and nobody waits for it. What happens when something dies: if the
station ends or dies with an episode open, the episode is left as interrupted, its journal holding
everything that arrived, and is offered to be kept or discarded; committing it unasked would put
half a demonstration among whole ones. If this process dies, the journal holds what it had taken
(see FORMAT.md), and the next one reports it. Lost messages are counted by their numbers and noted
in the episode. What is said of closed episodes is done here too, because one process may write a
store. Refuses to know robots and devices.
"""

import getpass
import secrets
import shutil
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import zmq

from recorders.clock import NS_PER_S, Clock
from recorders.episode import Detector, Label
from recorders.episode_writer import EpisodeWriter
from recorders.store import DemoStore
from recorders.store_errors import StoreError
from studio.station.bus import Endpoints, LatestPublisher, LosslessReceiver, open_context
from studio.station.closed_episodes import carry_out
from studio.station.commands import AboutEpisode, LabelEpisode, SettleInterrupted
from studio.station.messages import RecorderHealth
from studio.station.record_link import (
    STATUS,
    Append,
    Begin,
    Discard,
    End,
    Envelope,
    Happened,
    RecorderStatus,
    Say,
    envelope_decoder,
)
from studio.station.wire import Frame, WireError, decode_batches, pack, unpack
from studio.station.worker import Life

STATUS_NS = NS_PER_S // 10
DISK_NS = NS_PER_S
LOW_DISK_BYTES = 2 << 30    # five minutes of two cameras at 30 Hz; said before it is an error
FINISH_NS = 3 * NS_PER_S    # for what waits at the end; then a station that speaks on is cut off
AT_ONCE = 64                # messages between two looks at the clock


class RecorderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the recorder is told."""

    store: str
    """Folder of the demonstration store; made if it is missing."""
    links: Endpoints
    """Where the station's links listen."""


class Recorder:
    """Writes one store for one station at a time.

    Args:
        store: open for writing; stays its owner's.
        context: of this process.
        links: of the station.
        clock: the machine's clock.
    """

    def __init__(self, store: DemoStore, context: zmq.Context, links: Endpoints,
                 clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._receiver = LosslessReceiver(context, links.record)
        self._publisher = LatestPublisher(context, links.recorder_status)
        self._incarnation = secrets.token_hex(8)
        self._session, self._expected = "", 0
        self._writer: EpisodeWriter | None = None
        self._dtypes: dict[str, np.dtype] = {}
        self._disk_free = shutil.disk_usage(store.path).free
        self._next_disk_ns = self._next_status_ns = 0
        self._sender_ended = self._joined_late = False
        self._unsaid = ""           # why the last thing said of a closed episode could not be done
        self._health = RecorderHealth(
            alive=True, store=str(store.path), interrupted=self._interrupted())

    def _interrupted(self) -> tuple[str, ...]:
        return tuple(episode.episode for episode in self._store.interrupted())

    def step(self, timeout_ms: int = 50) -> None:
        """Take what arrived, waiting for it up to `timeout_ms`; keep the reports going."""
        self._sender_ended = self._receiver.sender_gone() or self._sender_ended
        if self._receiver.wait(timeout_ms):
            self._take_some()
        elif self._sender_ended:        # and it left nothing more
            self._sender_ended = False
            self._leave_interrupted("the station ended")
        self._sync()
        self._report_if_due()

    def finish(self) -> None:
        """Write what still waits; leave an open episode as interrupted; close the links."""
        deadline_ns = self._clock.now_ns() + FINISH_NS
        while self._receiver.wait(20) and self._clock.now_ns() < deadline_ns:
            self._take_some()
        self._leave_interrupted("the recorder was ended")
        self._report()
        self._receiver.close()
        self._publisher.close()

    def _take_some(self) -> None:
        for _ in range(AT_ONCE):
            if (frames := self._receiver.receive()) is None:
                return
            try:
                self._take(unpack(frames[0], envelope_decoder), frames[1:])
            except WireError as error:
                self._fail(f"a message of the station is lost: {error}")
            except StoreError as error:
                self._writer_failed(error)

    def _take(self, envelope: Envelope, frames: list[memoryview]) -> None:
        self._notice_gap(envelope)
        self._expected = envelope.number + 1
        message = envelope.message
        if isinstance(message, Begin):
            self._begin(message)
        elif isinstance(message, Say):
            self._say(message.about)
        elif self._writer is None:
            pass        # the rest of an episode that failed, which was said when it did
        elif isinstance(message, Append):
            self._append(self._writer, frames)
        elif isinstance(message, Happened):
            self._writer.event(message.t_mono_ns, message.kind, **message.fields)
        elif isinstance(message, End):
            self._commit(self._writer, message, envelope.sent_ns)
        elif isinstance(message, Discard):
            self._writer.discard()
            self._writer = None
            self._report()

    def _notice_gap(self, envelope: Envelope) -> None:
        if envelope.session != self._session:
            self._leave_interrupted("another station began")
            self._session, self._expected = envelope.session, 0
            self._joined_late = envelope.number > 0
        if isinstance(envelope.message, Begin):
            self._joined_late = False
        elif self._joined_late and not isinstance(envelope.message, Say):
            self._joined_late = False
            self._fail("the recorder was started while an episode was being recorded: what its "
                       "predecessor wrote is kept as interrupted; record the episode anew")
            return
        if (lost := envelope.number - self._expected) and self._writer is not None:
            self._writer.event(envelope.sent_ns, "lost-messages", count=lost)
            self._fail(f"{lost} messages of episode {self._writer.header.episode} were lost before "
                       f"they reached the recorder: the machine is too slow; discard the episode")

    def _begin(self, message: Begin) -> None:
        self._leave_interrupted("the next episode began")
        header = message.header
        self._health, self._unsaid = msgspec.structs.replace(self._health, error=""), ""
        self._writer = self._store.begin(header)
        self._dtypes = {spec.name: spec.row_dtype for spec in header.streams}

    def _append(self, writer: EpisodeWriter, frames: list[memoryview]) -> None:
        shown: list[Frame] = list(frames)
        for batch in decode_batches(shown, self._dtypes):
            writer.append(batch)

    def _commit(self, writer: EpisodeWriter, message: End, stopped_ns: int) -> None:
        verdicts: dict[str, Detector] = {"success": "success", "failure": "failure"}
        self._writer = None
        summary = writer.commit(message.ended_mono_ns, verdicts.get(message.detector, ""))
        took_ms = (self._clock.now_ns() - stopped_ns) / 1e6
        self._health = msgspec.structs.replace(
            self._health, committed=self._health.committed + 1, last_episode=summary.episode,
            last_label=summary.label, last_commit_ms=took_ms)
        if message.label or message.note:
            label = cast(Label, message.label or summary.label)
            self._store.label(summary.episode, label, message.note, by=summary.operator)
            self._health = msgspec.structs.replace(self._health, last_label=label)
        self._report()

    def _say(self, about: AboutEpisode) -> None:
        """A refusal of the store is shown until the next word, and ends nothing."""
        try:
            carry_out(self._store, about, getpass.getuser())
            self._unsaid = ""
        except (StoreError, OSError) as error:
            self._unsaid = " ".join(str(error).split())
        if isinstance(about, LabelEpisode) and about.episode == self._health.last_episode:
            self._health = msgspec.structs.replace(
                self._health, last_label=self._store.episode(about.episode).label)
        if isinstance(about, SettleInterrupted):
            self._health = msgspec.structs.replace(self._health, interrupted=self._interrupted())
        self._report()

    def _sync(self) -> None:
        if self._writer is not None:
            try:
                self._writer.sync_if_due()
            except StoreError as error:
                self._writer_failed(error)

    def _writer_failed(self, error: StoreError) -> None:
        """The store refused a batch, or takes no more; what it acknowledged is safe either way."""
        if self._writer is not None and not self._writer.open:
            self._writer = None
        self._fail(str(error))

    def _leave_interrupted(self, why: str) -> None:
        if (writer := self._writer) is None:
            return
        self._writer = None
        episode = writer.header.episode
        try:
            writer.event(self._clock.now_ns(), "interrupted", why=why)
        except StoreError as error:
            self._fail(str(error))
        writer.abandon()
        self._health = msgspec.structs.replace(
            self._health, interrupted=(*self._health.interrupted, episode))
        self._fail(f"episode {episode} was interrupted ({why}): keep or discard it with "
                   f"`tandem data recover`")

    def _fail(self, sentence: str) -> None:
        """Lost data is an error that stays until the next episode begins."""
        self._health = msgspec.structs.replace(self._health, error=sentence)

    def _report_if_due(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns >= self._next_disk_ns:
            self._next_disk_ns = now_ns + DISK_NS
            self._disk_free = shutil.disk_usage(self._store.path).free
        if now_ns >= self._next_status_ns:
            self._report()

    def _report(self) -> None:
        now_ns = self._clock.now_ns()
        self._next_status_ns = now_ns + STATUS_NS
        error = self._health.error or self._unsaid
        if not error and self._disk_free < LOW_DISK_BYTES:
            error = (f"only {self._disk_free / 1e9:.1f} GB are free where {self._store.path} lies: "
                     f"free some space before it is full")
        health = msgspec.structs.replace(self._health, disk_free_bytes=self._disk_free, error=error,
                                         changes=self._store.changes)
        self._publisher.publish(STATUS, [pack(RecorderStatus(
            now_ns, self._incarnation, self._session, self._expected, health))])


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: record until told to end.

    Raises:
        StoreError: the store cannot be opened for writing; says why and what to do.
    """
    told = msgspec.json.decode(config, type=RecorderConfig)
    path = Path(told.store)
    with (DemoStore.open(path, write=True, create=True, clock=life.clock) as store,
          open_context() as context):
        recorder = Recorder(store, context, told.links, life.clock)
        life.ready()
        while not life.stopping:
            recorder.step()
            life.beat()
        recorder.finish()
