"""The link between the control loop and the recorder: what is said on it, and the loop's end of it.

Every message carries a number, so that a lost one is noticed where it is missing; words (begin,
event, end, discard, what is said of closed episodes) that do not fit wait here in order, rows and
pictures that do not fit are lost, counted, and reported: the control loop waits for nobody. Knows
the messages; refuses to know the store.
"""

import secrets
from collections import deque
from typing import Any

import msgspec
import zmq

from recorders.clock import NS_PER_S, Clock
from recorders.episode import EpisodeHeader, plain
from recorders.streams import Batch
from studio.station.commands import AboutEpisode
from studio.station.messages import RecorderHealth
from studio.station.processes.bus import Endpoints, LatestSubscriber, LosslessSender
from studio.station.processes.wire import Frame, encode_batches, pack, unpack
from studio.station.recording.outbox import Outbox

STATUS = "recorder"         # topic of RecorderStatus
CAPACITY = 1000             # messages: ten seconds at 100 Hz, some 80 MB with two cameras
ALIVE_NS = 2 * NS_PER_S     # the recorder speaks ten times a second; a slow fsync may cost many
MOST_WORDS = 1000           # that may wait for room; nobody presses keys that fast


class Begin(msgspec.Struct, tag=True, frozen=True):
    """An episode begins."""

    header: EpisodeHeader


class Append(msgspec.Struct, tag=True, frozen=True):
    """Batches follow in frames of their own (see wire.py)."""


class Happened(msgspec.Struct, tag=True, frozen=True):
    """An event of the open episode."""

    t_mono_ns: int
    kind: str
    fields: dict[str, Any]


class End(msgspec.Struct, tag=True, frozen=True):
    """The open episode is to be committed."""

    ended_mono_ns: int
    detector: str
    label: str
    note: str


class Discard(msgspec.Struct, tag=True, frozen=True):
    """The open episode is to be put into the trash."""


class Say(msgspec.Struct, tag=True, frozen=True):
    """Something is to be said of an episode that is closed."""

    about: AboutEpisode


Message = Begin | Append | Happened | End | Discard | Say


class Envelope(msgspec.Struct, frozen=True):
    """First frame of everything on the link.

    Attributes:
        session: random name of the sender; a new one is a new station.
        number: counts the sender's messages from 0, lost ones included.
        sent_ns: the machine's monotonic clock when it was handed over.
    """

    session: str
    number: int
    sent_ns: int
    message: Message


class RecorderStatus(msgspec.Struct, frozen=True):
    """What the recorder says of itself.

    Attributes:
        stamp_ns: the machine's monotonic clock.
        incarnation: random name of the recorder's process; a new one was restarted.
        session: whose messages it takes.
        taken: number of the next message that it expects.
        health: `overflowed` and `queued` are the sender's to know.
    """

    stamp_ns: int
    incarnation: str
    session: str
    taken: int
    health: RecorderHealth


envelope_decoder = msgspec.msgpack.Decoder(Envelope)
_status_decoder = msgspec.msgpack.Decoder(RecorderStatus)


class RecorderClient:
    """The recorder as the control loop sees it; no call blocks unless `block` says so.

    Args:
        context: of this process.
        links: of this station.
        clock: the machine's clock, also where the robot's time is virtual: the recorder's process
            lives in real time.
        capacity: messages that may wait for the recorder.
        block: wait for room instead of losing data (only under a virtual clock).
    """

    def __init__(self, context: zmq.Context, links: Endpoints, clock: Clock, *,
                 capacity: int = CAPACITY, block: bool = False) -> None:
        self._clock, self._waits = clock, block
        sender = LosslessSender(context, links.record, capacity=capacity, block=block)
        self._sender = sender if block else Outbox(sender, capacity)
        self._status = LatestSubscriber(context, links.recorder_status, STATUS)
        self._session = secrets.token_hex(8)
        self._number = 0
        self._waiting: deque[bytes] = deque()
        self._unheard: deque[tuple[int, AboutEpisode]] = deque()
        self._overflowed = 0
        self._last: RecorderStatus | None = None
        self._episode = ""          # open or closing in the recorder, as far as we know
        self._closes_with = 0       # number of the message that closes it; 0 while it is open
        self._recorder = ""         # the incarnation that has it
        self._broken = ""
        self._dead = ""             # the incarnation that is gone
        self._hears = ""            # the incarnation that spoke last

    def begin(self, header: EpisodeHeader) -> None:
        """Open an episode."""
        self._hear()
        self._episode, self._closes_with, self._broken = header.episode, 0, ""
        self._recorder = self._last.incarnation if self._last else ""
        self._tell(Begin(header))

    def append(self, batches: tuple[Batch, ...]) -> None:
        """Hand rows and pictures over; may be called every tick, also with nothing."""
        if not batches:
            return
        envelope = self._envelope(Append())
        if not self._flush() or not self._sender.send([envelope, *encode_batches(batches)]):
            self._overflowed += 1

    def event(self, t_mono_ns: int, kind: str, **fields: Any) -> None:
        """Note that something happened in the open episode."""
        self._tell(Happened(t_mono_ns, kind, msgspec.to_builtins(fields, enc_hook=plain)))

    def end(self, ended_mono_ns: int, detector: str, label: str, note: str) -> None:
        """Commit the open episode."""
        self._closes_with = 0 if self._broken else self._number
        self._episode = "" if self._broken else self._episode
        self._tell(End(ended_mono_ns, detector, label, note))

    def discard(self) -> None:
        """Put the open episode into the trash."""
        self._closes_with = 0 if self._broken else self._number
        self._episode = "" if self._broken else self._episode
        self._tell(Discard())

    def say(self, about: AboutEpisode) -> None:
        """Say something of a closed episode; said again if the recorder dies over it."""
        self._unheard.append((self._number, about))
        self._tell(Say(about))

    def health(self) -> RecorderHealth:
        """How recording goes, by the recorder's last word and by what we could not hand over.

        `alive` is False from the moment at which a recorder that had the open episode is gone
        until that episode was ended here and another recorder speaks, however fast it came.
        """
        self._flush()
        self._hear()
        if self._sender.receiver_gone() and self._episode:
            self._break("has ended", self._recorder)
        if self._last is None:
            return RecorderHealth(queued=self._number, overflowed=self._overflowed,
                                  writing=self._writing)
        # Who waits for room cannot lose anything to a recorder that is merely slow to speak.
        fresh = self._waits or self._clock.now_ns() - self._last.stamp_ns < ALIVE_NS
        taken = self._last.taken if self._last.session == self._session else 0
        return msgspec.structs.replace(
            self._last.health, alive=fresh and not self._broken,
            queued=max(0, self._number - taken), overflowed=self._overflowed,
            error=self._broken or self._last.health.error, writing=self._writing)

    @property
    def _writing(self) -> str:
        """Nothing under a virtual clock: a reset there need not wait for a disk."""
        return "" if self._waits else self._episode

    def wait_alive(self, timeout_s: float) -> bool:
        """Block until the recorder has spoken; whether it has. Only for starting up."""
        return self._status.wait(int(timeout_s * 1000)) and self.health().alive

    def wait_written(self, timeout_s: float) -> bool:
        """Block until the recorder has taken everything; whether it has. Only for ending."""
        deadline_ns = self._clock.now_ns() + round(timeout_s * NS_PER_S)
        while self.health().queued and self._clock.now_ns() < deadline_ns:
            self._status.wait(20)
        return self.health().queued == 0

    def close(self) -> None:
        """Let go; what waits is still delivered for a few seconds."""
        self._flush()
        self._sender.close()
        self._status.close()

    def _hear(self) -> None:
        if (frames := self._status.newest()) is None:
            return
        self._last = last = unpack(frames[0], _status_decoder)
        if self._episode and last.incarnation != self._recorder:
            if self._recorder:
                self._break("was restarted", self._recorder)
            self._recorder = last.incarnation
        if not self._episode and last.incarnation != self._dead:
            self._broken = ""
        self._say_again(last)
        if last.session != self._session:
            return
        if self._closes_with and last.taken > self._closes_with:
            self._episode, self._closes_with = "", 0
        while self._unheard and self._unheard[0][0] < last.taken:
            self._unheard.popleft()

    def _say_again(self, last: RecorderStatus) -> None:
        """A restarted recorder may never have heard what its predecessor did not do."""
        if self._hears and last.incarnation != self._hears:
            unheard, self._unheard = self._unheard, deque()
            for _, about in unheard:
                self.say(about)
        self._hears = last.incarnation

    def _break(self, what: str, dead: str) -> None:
        self._dead = dead
        self._broken = (f"the recorder {what} during episode {self._episode}: what it had "
                        "acknowledged is kept; end this episode and record it anew")
        if self._closes_with:       # its end was said already: nothing more is to be said of it
            self._episode, self._closes_with = "", 0

    def _envelope(self, message: Message) -> bytes:
        envelope = Envelope(self._session, self._number, self._clock.now_ns(), message)
        self._number += 1
        return pack(envelope)

    def _tell(self, message: Message) -> None:
        if len(self._waiting) >= MOST_WORDS:
            self._number += 1       # the gap tells the recorder, too
            self._overflowed += 1
            return
        self._waiting.append(self._envelope(message))
        self._flush()

    def _flush(self) -> bool:
        """Hand over the words that wait; whether none is left, so that order holds."""
        while self._waiting:
            frames: list[Frame] = [self._waiting[0]]
            if not self._sender.send(frames):
                return False
            self._waiting.popleft()
        return True
