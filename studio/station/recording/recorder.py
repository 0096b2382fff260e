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
from studio.station.commands import AboutEpisode, LabelEpisode, SettleInterrupted
from studio.station.processes.bus import Endpoints, LosslessReceiver, open_context
from studio.station.processes.wire import Frame, WireError, decode_batches, unpack
from studio.station.processes.worker import Life
from studio.station.recording.closed_episodes import carry_out
from studio.station.recording.record_link import (
    Append,
    Begin,
    Discard,
    End,
    Envelope,
    Happened,
    Say,
    envelope_decoder,
)
from studio.station.recording.recorder_report import RecorderReport

FINISH_NS = 3 * NS_PER_S    # for what waits at the end; then a station that speaks on is cut off
AT_ONCE = 64                # messages between two looks at the clock


class RecorderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the recorder is told."""

    store: str
    """Folder of the demonstration store; made if it is missing."""
    links: Endpoints
    """Where the station's links listen."""
    create: bool = True
    """Make the store if it is missing; False where somebody made it, so that a recorder that is
    started again does not put an empty store in the place of one that was moved away."""


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
        self._report = RecorderReport(store, context, links, clock, secrets.token_hex(8))
        self._session, self._expected = "", 0
        self._writer: EpisodeWriter | None = None
        self._dtypes: dict[str, np.dtype] = {}
        self._sender_ended = self._joined_late = False

    def step(self, timeout_ms: int = 50) -> None:
        """Take what arrived, waiting for it up to `timeout_ms`; keep the reports going."""
        self._sender_ended = self._receiver.sender_gone() or self._sender_ended
        if self._receiver.wait(timeout_ms):
            self._take_some()
        elif self._sender_ended:        # and it left nothing more
            self._sender_ended = False
            self._leave_interrupted("the station ended")
        if self._writer is not None and self._writer.open:
            self._look_after(self._writer)
        self._report.tell_if_due(self._session, self._expected)

    def require_store(self) -> None:
        """Go on only with the store that was opened.

        Raises:
            StoreError: another one lies in its place, and no episode is open that would be lost.
        """
        if self._store.lost == "replaced" and self._writer is None:
            raise StoreError(self._store.obstacle())

    def finish(self) -> None:
        """Write what still waits; leave an open episode as interrupted; close the links."""
        deadline_ns = self._clock.now_ns() + FINISH_NS
        while self._receiver.wait(20) and self._clock.now_ns() < deadline_ns:
            self._take_some()
        self._leave_interrupted("the recorder was ended")
        self._tell()
        self._receiver.close()
        self._report.close()

    def _take_some(self) -> None:
        for _ in range(AT_ONCE):
            if (frames := self._receiver.receive()) is None:
                return
            try:
                self._take(unpack(frames[0], envelope_decoder), frames[1:])
            except WireError as error:
                self._fail(f"a message of the station is lost: {error}")
            except (StoreError, OSError) as error:
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
        elif isinstance(message, End):
            self._commit(self._writer, message, envelope.sent_ns)
        elif isinstance(message, Discard):
            self._discard(self._writer)
        elif not self._writer.open:
            pass        # a full disk closed and kept it, and its end is still to come
        elif isinstance(message, Append):
            self._append(self._writer, frames)
        elif isinstance(message, Happened):
            self._writer.event(message.t_mono_ns, message.kind, **message.fields)

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
        lost = envelope.number - self._expected
        if lost and self._writer is not None and self._writer.open:
            self._writer.event(envelope.sent_ns, "lost-messages", count=lost)
            self._fail(f"{lost} messages of episode {self._writer.header.episode} were lost before "
                       f"they reached the recorder: the machine is too slow; discard the episode")

    def _begin(self, message: Begin) -> None:
        self._leave_interrupted("the next episode began")
        header, self._report.unsaid = message.header, ""
        self._report.note(error="", cut_short="")
        try:
            self._writer = self._store.begin(header)
        except (StoreError, OSError) as error:
            self._report.note(cut_short=header.episode)
            raise StoreError(f"episode {header.episode} is not recorded: {error}") from error
        self._dtypes = {spec.name: spec.row_dtype for spec in header.streams}

    def _append(self, writer: EpisodeWriter, frames: list[memoryview]) -> None:
        shown: list[Frame] = list(frames)
        for batch in decode_batches(shown, self._dtypes):
            writer.append(batch)

    def _commit(self, writer: EpisodeWriter, message: End, stopped_ns: int) -> None:
        verdicts: dict[str, Detector] = {"success": "success", "failure": "failure"}
        if writer.open and self._store.lost:
            return      # `step` cuts it short
        summary = writer.commit(message.ended_mono_ns, verdicts.get(message.detector, ""))
        self._writer = None
        took_ms = (self._clock.now_ns() - stopped_ns) / 1e6
        self._report.note(committed=self._report.health.committed + 1,
                          last_episode=summary.episode, last_label=summary.label,
                          last_commit_ms=took_ms)
        if message.label or message.note:
            label = cast(Label, message.label or summary.label)
            self._store.label(summary.episode, label, message.note, by=summary.operator)
            self._report.note(last_label=label)
        self._tell()

    def _discard(self, writer: EpisodeWriter) -> None:
        self._writer, episode = None, writer.discard().episode
        self._store.trash(episode, by=getpass.getuser())    # of one that a full disk had closed
        self._tell()

    def _say(self, about: AboutEpisode) -> None:
        """A refusal of the store is shown until the next word, and ends nothing."""
        try:
            if self._store.lost:
                raise StoreError(self._store.obstacle())
            carry_out(self._store, about, getpass.getuser())
            self._report.unsaid = ""
            last = self._report.health.last_episode
            if isinstance(about, LabelEpisode) and about.episode == last:
                self._report.note(last_label=self._store.episode(last).label)
        except (StoreError, OSError) as error:
            self._report.unsaid = " ".join(str(error).split())
        if isinstance(about, SettleInterrupted):
            self._report.look_for_interrupted()
        self._tell()

    def _look_after(self, writer: EpisodeWriter) -> None:
        if self._store.lost:
            self._cut_short(f"episode {writer.header.episode} was cut short: "
                            f"{self._store.obstacle()}")
            return
        try:
            writer.sync_if_due()
        except StoreError as error:
            self._writer_failed(error)

    def _writer_failed(self, error: StoreError | OSError) -> None:
        """The store refused a batch, or takes no more; what it acknowledged is safe either way."""
        if self._writer is not None and not self._writer.open:
            self._cut_short(str(error))
        else:
            self._fail(str(error))
        self._report.look()

    def _cut_short(self, why: str) -> None:
        """The open episode takes no more: the store kept it as it is, or it is interrupted."""
        writer = self._writer
        assert writer is not None
        self._report.note(cut_short=writer.header.episode)
        if not writer.kept:
            self._writer = None
            writer.abandon()
            self._report.note(
                interrupted=(*self._report.health.interrupted, writer.header.episode))
        self._fail(why)
        self._tell()

    def _leave_interrupted(self, why: str) -> None:
        writer, self._writer = self._writer, None
        if writer is None or writer.kept:
            return
        episode = writer.header.episode
        try:
            writer.event(self._clock.now_ns(), "interrupted", why=why)
        except StoreError as error:
            self._fail(str(error))
        writer.abandon()
        self._report.note(interrupted=(*self._report.health.interrupted, episode))
        self._fail(f"episode {episode} was interrupted ({why}): keep or discard it in the list of "
                   "episodes, or with `tandem data recover`")

    def _fail(self, sentence: str) -> None:
        """Lost data is an error that stays until the next episode begins."""
        self._report.note(error=sentence)

    def _tell(self) -> None:
        self._report.tell(self._session, self._expected)


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: record until told to end.

    Raises:
        StoreError: the store cannot be opened for writing; says why and what to do.
    """
    told = msgspec.json.decode(config, type=RecorderConfig)
    path = Path(told.store)
    with (DemoStore.open(path, write=True, create=told.create, clock=life.clock) as store,
          open_context() as context):
        recorder = Recorder(store, context, told.links, life.clock)
        life.ready()
        while not life.stopping:
            recorder.step()
            recorder.require_store()
            life.beat()
        recorder.finish()
