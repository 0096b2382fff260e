"""Which rows belong to an episode, and when it may be closed.

Everything passes the control loop in one order, so an episode is an interval of monotonic time. A
picture taken before the end may arrive a moment after it (rendering and encoding take time):
closing waits for every camera to speak once more, but not for long. Knows the recorder only as
something that takes messages and never blocks.
"""

import secrets
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from recorders.clock import NS_PER_S, Clock
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.streams import Batch, StreamSpec
from studio.devices.interfaces import RobotInfo
from studio.station.chunks.log import ChunkLog
from studio.station.commands import AboutEpisode
from studio.station.loop.control_loop import TickRecord
from studio.station.messages import RecorderHealth

LINGER_S = 0.15             # for pictures of the last moment; five frames at 30 Hz


class RecordSink(Protocol):
    """The recorder as the control loop sees it; no call blocks (see record_link.py)."""

    def begin(self, header: EpisodeHeader) -> None: ...                             # noqa: D102
    def append(self, batches: tuple[Batch, ...]) -> None: ...                       # noqa: D102
    def event(self, t_mono_ns: int, kind: str, **fields: Any) -> None: ...          # noqa: D102
    def end(self, ended_mono_ns: int, detector: str, label: str,                    # noqa: D102
            note: str) -> None: ...
    def discard(self) -> None: ...                                                  # noqa: D102
    def say(self, about: AboutEpisode) -> None: ...                                 # noqa: D102
    def health(self) -> RecorderHealth: ...                                         # noqa: D102


class EpisodeFeed:
    """Feeds the open episode to the recorder, tick by tick.

    Args:
        sink: the recorder.
        clock: of the station.
        info: of the robot.
        tick: the stream of the control loop.
        new_token: eight random hex digits for an episode's name.
        chunks: says what becomes of a policy's chunks; None where no policy may drive.
    """

    def __init__(self, sink: RecordSink, clock: Clock, info: RobotInfo, tick: StreamSpec,
                 new_token: Callable[[], str] = lambda: secrets.token_hex(4),
                 chunks: Callable[[], ChunkLog | None] = lambda: None) -> None:
        self._sink, self._clock, self._info, self._new_token = sink, clock, info, new_token
        self._streams, self._chunks = (tick, *info.streams), chunks
        self._records_chunks = False
        self._cameras = {spec.name for spec in info.streams if spec.images}
        self._begin_ns = self._end_ns = 0
        self._awaited: set[str] = set()
        self._closing: tuple[str, str, str] | None = None
        self._afterwards: list[AboutEpisode] = []
        self.episode = ""
        self.asked_by = ""
        """Who asked for what is being done; stands in each event of it, as `by`."""
        self.practice = False
        self.discarded = False
        """Whether the last episode was thrown away."""

    @property
    def open(self) -> bool:
        """Whether an episode is being recorded; a closing one is not open any more."""
        return bool(self.episode) and self._closing is None

    @property
    def busy(self) -> bool:
        """Whether an episode is open or still closing."""
        return bool(self.episode)

    def seconds(self, now_ns: int) -> float:
        """Length of the open episode so far."""
        return (now_ns - self._begin_ns) / NS_PER_S if self.open else 0.0

    def begin(self, *, task: str, instruction: str, seed: int, operator: str, practice: bool,
              teleop: str, software: dict[str, str]) -> str:
        """Open an episode from now on; returns its id."""
        self._begin_ns, wall_ns = self._clock.now_ns(), self._clock.wall_ns()
        self.practice, self.discarded, self._closing = practice, False, None
        self.episode = new_episode_id(wall_ns, self._new_token())
        log = self._chunks()
        self._records_chunks = log is not None and not practice
        if log is not None:
            log.begin()
        if not practice:
            robot = {f: getattr(self._info, f) for f in self._info.__struct_fields__
                     if f not in ("model_xml", "streams")}
            self._sink.begin(EpisodeHeader(
                episode=self.episode, task=task, instruction=instruction, seed=seed,
                operator=operator or teleop, practice=False, robot=robot,
                model_xml=self._info.model_xml, started_mono_ns=self._begin_ns,
                started_wall_ns=wall_ns, software=software,
                streams=self._streams + (log.streams if log is not None else ())))
        return self.episode

    def event(self, kind: str, **fields: Any) -> None:
        """Note something that happened now."""
        if self.open and not self.practice:
            self._sink.event(self._clock.now_ns(), kind, **(asked(self.asked_by) | fields))

    def end(self, detector: str, label: str, note: str) -> None:
        """Close the episode as of now, as soon as its last pictures are in."""
        self._end_ns = self._clock.now_ns()
        self._closing, self._awaited = (detector, label, note), set(self._cameras)

    def discard(self) -> None:
        """Put the open episode away."""
        if not self.practice:
            self._sink.discard()
        self.episode, self._closing, self.discarded = "", None, True

    def say(self, about: AboutEpisode) -> None:
        """Hand on what is said of a closed episode; of a closing one, when it is closed."""
        if self.busy and not self.open:
            self._afterwards.append(about)
        else:
            self._sink.say(about)

    def on_tick(self, tick: TickRecord) -> None:
        """Hand over what belongs to the episode."""
        chunks = self._decided(tick)
        if not self.episode:
            return
        last_ns = self._end_ns if self._closing else tick.stamp_ns
        if not self.practice:
            belonging = [b.between(self._begin_ns, last_ns) for b in (*tick.batches, *chunks)]
            self._sink.append(tuple(b for b in belonging if len(b.rows)))
        if self._closing:
            self._awaited -= {b.stream for b in tick.batches if _newest_ns(b) > self._end_ns}
            if not self._awaited or tick.stamp_ns - self._end_ns > LINGER_S * NS_PER_S:
                self._close()

    def _decided(self, tick: TickRecord) -> tuple[Batch, ...]:
        """What became of chunks in this tick."""
        if (log := self._chunks()) is None:
            return ()
        if self.open and self._records_chunks:
            return log.take(tick.stamp_ns, int(tick.row["t_wall_ns"][0]), self.event)
        log.forget()
        return ()

    def _close(self) -> None:
        assert self._closing is not None
        if not self.practice:
            self._sink.end(self._end_ns, *self._closing)
        self.episode, self._closing = "", None
        while self._afterwards:
            self._sink.say(self._afterwards.pop(0))


def asked(by: str) -> dict[str, str]:
    """The field of an event that says who asked for it, where somebody said who they are."""
    return {"by": by} if by else {}


class NoRecorder:
    """No store is open: whatever is driven is practice."""

    def begin(self, header: EpisodeHeader) -> None:
        """Keep nothing."""

    def append(self, batches: tuple[Batch, ...]) -> None:
        """Keep nothing."""

    def event(self, t_mono_ns: int, kind: str, **fields: Any) -> None:
        """Keep nothing."""

    def end(self, ended_mono_ns: int, detector: str, label: str, note: str) -> None:
        """Keep nothing."""

    def discard(self) -> None:
        """Keep nothing."""

    def say(self, about: AboutEpisode) -> None:
        """Of nothing."""

    def health(self) -> RecorderHealth:
        """There is none, and none is missed."""
        return RecorderHealth(wanted=False)


def _newest_ns(batch: Batch) -> int:
    return int(np.max(batch.rows["t_mono_ns"])) if len(batch.rows) else 0
