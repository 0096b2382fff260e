"""What the station and the policy's process say to each other, and the sockets over which they do.

Ticks go one way as latest values: the numbers of every stream, and of the pictures only those that
the policy said it looks at, still encoded. Chunks come back as latest values, and some times a
second the policy says how it is doing. Everything is private to this user and this machine; rows
and targets are raw frames behind a MessagePack header. Knows neither end's work.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import zmq

from policy.interfaces import ActionSpace, Chunk
from policy.statistics import shares
from recorders.streams import Batch
from studio.station.chunks.decided import Decided
from studio.station.chunks.joining import JOIN, Join
from studio.station.messages import Assignment, PolicyHealth, Spread
from studio.station.processes.bus import Endpoints, LatestPublisher, LatestSubscriber
from studio.station.processes.wire import (
    Frame,
    WireError,
    decode_batches,
    encode_batches,
    pack,
    unpack,
)

TICKS, CHUNK, STATUS, DECIDED = "ticks", "chunk", "status", "decided"
BACKLOG = 200               # ticks that may wait here: two seconds of a policy that is busy
_TARGET = np.dtype("<f8")


class PolicyStatus(msgspec.Struct, frozen=True):
    """What the policy's process says some times a second.

    Attributes:
        health: how it is doing; what only the station sees is left out.
        pictures: camera stream to the pictures that it looks at; nothing else need be sent.
        incarnation: see `PolicyEnd`.
        join: how its chunks are to be joined; see chunks/joining.py.
        calibration: what its rollouts are measured by (policy/monitoring), as JSON; or empty.
    """

    health: PolicyHealth
    pictures: dict[str, tuple[str, ...]]
    incarnation: str = ""
    calibration: bytes = b""
    join: Join = JOIN


class Timings(msgspec.Struct, frozen=True):
    """What an answer cost.

    Attributes:
        act_ms: the call of System 1.
        think_ms: the run of System 2 that made the latent used, if it is the newest.
        answer_ms: from the tick that brought the picture to this answer.
    """

    act_ms: float
    think_ms: float
    answer_ms: float


class Answer(msgspec.Struct, frozen=True):
    """A chunk and what it cost; for `incarnation` see `PolicyEnd`."""

    chunk: Chunk
    timings: Timings
    incarnation: str = ""


class Attach(msgspec.Struct, tag=True, frozen=True):
    """Asks a policy's process to serve a station.

    Attributes:
        links: of the station.
        rate_hz: of its control loop.
    """

    links: Endpoints
    rate_hz: float


class Detach(msgspec.Struct, tag=True, frozen=True):
    """Tells a policy's process that its station ends."""


class SwapWeights(msgspec.Struct, tag=True, frozen=True):
    """Asks to drive with other weights from the next call on; answered once it does.

    Attributes:
        folder: of a run or of one of its checkpoints.
    """

    folder: str


class SwapBack(msgspec.Struct, tag=True, frozen=True):
    """Asks to drive with the weights before the last swap, which are still in memory, from the next
    call on.

    Attributes:
        version: that these must be; refused if others are in memory, or none.
    """

    version: int


PolicyRequest = Attach | Detach | SwapWeights | SwapBack


class _ChunkHead(msgspec.Struct, frozen=True, array_like=True):
    """A chunk without its targets, which follow as a frame of (steps, width) numbers."""

    steps: int
    width: int
    space: ActionSpace
    first_ns: int
    step_ns: int
    observation_ns: int
    latent_id: int
    latent_ns: int
    instruction_id: int
    weights_version: int
    subtask: str
    epoch: int
    entropy: float
    signature: tuple[float, ...]
    chunk_id: int
    held_steps: int
    timings: Timings
    incarnation: str


_assignments = msgspec.msgpack.Decoder(Assignment)
_statuses = msgspec.msgpack.Decoder(PolicyStatus)
_decisions = msgspec.msgpack.Decoder(Decided)
_heads = msgspec.msgpack.Decoder(_ChunkHead)
_OF_CHUNK = tuple(name for name in _ChunkHead.__struct_fields__
                  if name not in ("steps", "width", "timings", "incarnation"))


def encode_answer(answer: Answer) -> list[Frame]:
    """Frames that carry an answer: its head and its targets."""
    chunk, targets = answer.chunk, np.ascontiguousarray(answer.chunk.targets, _TARGET)   # (H, A)
    steps, width = targets.shape
    head = _ChunkHead(steps=steps, width=width, timings=answer.timings,
                      incarnation=answer.incarnation,
                      **{name: getattr(chunk, name) for name in _OF_CHUNK})
    return [pack(head), targets.view(np.uint8).data]


def decode_answer(frames: Sequence[Frame]) -> Answer:
    """The answer in frames made by `encode_answer`; its targets are a read-only view.

    Raises:
        WireError: the frames are none.
    """
    if len(frames) != 2:
        raise WireError(f"a chunk has a head and its targets, not {len(frames)} frames")
    head = unpack(frames[0], _heads)
    if head.steps < 0 or head.width < 0 or \
            len(frames[1]) != head.steps * head.width * _TARGET.itemsize:
        raise WireError(f"a chunk of {head.steps} by {head.width} numbers came with "
                        f"{len(frames[1])} bytes")
    targets = np.frombuffer(frames[1], _TARGET).reshape(head.steps, head.width)
    return Answer(Chunk(targets=targets, **{name: getattr(head, name) for name in _OF_CHUNK}),
                  head.timings, head.incarnation)


def spread(durations_ns: Sequence[int]) -> Spread:
    """Of durations, in milliseconds."""
    found = shares(np.asarray(durations_ns, dtype=float) / 1e6)
    return Spread(found["p50"], found["p99"], found["max"])


def wanted_batches(batches: Iterable[Batch], pictures: Mapping[str, Sequence[str]]) -> list[Batch]:
    """The numbers of every stream without pictures, and of cameras only the pictures wanted."""
    wanted: list[Batch] = []
    for batch in batches:
        if not batch.images:
            wanted.append(batch)
        elif names := pictures.get(batch.stream):
            wanted.append(Batch(batch.stream, batch.rows, tuple(
                {name: row[name] for name in names if name in row} for row in batch.images)))
    return wanted


class StationEnd:
    """The station's end; nothing in it waits.

    Attributes:
        status: the newest that was heard, or None.
    """

    def __init__(self, context: zmq.Context, links: Endpoints) -> None:
        self._ticks = LatestPublisher(context, links.observe)
        self._chunks = LatestSubscriber(context, links.chunks, CHUNK)
        self._statuses = LatestSubscriber(context, links.chunks, STATUS)
        self.status: PolicyStatus | None = None

    def tell(self, batches: Iterable[Batch], assignment: Assignment) -> None:
        """Show the policy a tick, once it has said what it looks at."""
        if self.status is not None:
            wanted = wanted_batches(batches, self.status.pictures)
            self._ticks.publish(TICKS, [pack(assignment), *encode_batches(wanted)])

    def decide(self, decided: Decided) -> None:
        """Tell the policy what its next chunk has to hold."""
        self._ticks.publish(DECIDED, [pack(decided)])

    def answer(self) -> Answer | None:
        """The newest answer that was not seen yet."""
        frames = self._chunks.newest()
        return decode_answer(frames) if frames else None

    def heard(self) -> bool:
        """Whether the policy said how it is since the last call; see `status`."""
        if (frames := self._statuses.newest()) is None:
            return False
        self.status = unpack(frames[0], _statuses)
        return True

    def close(self) -> None:
        """Close."""
        for link in (self._ticks, self._chunks, self._statuses):
            link.close()


class PolicyEnd:
    """The policy's end.

    Everything that it says carries a name drawn for this end, its incarnation. A process that is
    started anew, or attached anew, has another: so the station knows that somebody else speaks.

    Args:
        dtypes: `StreamSpec.row_dtype` of every stream of the station.
    """

    def __init__(self, context: zmq.Context, links: Endpoints, dtypes: Mapping[str, np.dtype]
                 ) -> None:
        self._dtypes, self._incarnation = dtypes, secrets.token_hex(8)
        self._ticks = LatestSubscriber(context, links.observe, TICKS, capacity=BACKLOG)
        self._decisions = LatestSubscriber(context, links.observe, DECIDED)
        self._said = LatestPublisher(context, links.chunks)

    def wait(self, timeout_ms: int) -> bool:
        """Block until a tick is there or the time has passed; whether one is there."""
        return self._ticks.wait(timeout_ms)

    def ticks(self) -> list[tuple[list[Batch], Assignment]]:
        """What waits, oldest first, the ticks of one scene and one instruction together."""
        runs: list[tuple[list[Batch], Assignment]] = []
        for frames in self._ticks.drain():
            if not frames:
                raise WireError("a tick without an assignment: expected one frame before its rows")
            assignment = unpack(frames[0], _assignments)
            batches = decode_batches(frames[1:], self._dtypes)
            if runs and runs[-1][1] == assignment:
                runs[-1][0].extend(batches)
            else:
                runs.append((batches, assignment))
        return runs

    def decided(self) -> Decided | None:
        """The newest word on what a chunk has to hold that was not heard yet."""
        frames = self._decisions.newest()
        return unpack(frames[0], _decisions) if frames else None

    def send(self, answer: Answer) -> None:
        """Say a chunk to whoever listens."""
        self._said.publish(CHUNK, encode_answer(
            msgspec.structs.replace(answer, incarnation=self._incarnation)))

    def say(self, status: PolicyStatus) -> None:
        """Say how the policy is doing."""
        self._said.publish(STATUS, [pack(
            msgspec.structs.replace(status, incarnation=self._incarnation))])

    def close(self) -> None:
        """Close."""
        for link in (self._ticks, self._decisions, self._said):
            link.close()
