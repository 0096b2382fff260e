"""How good a recorded episode is, in numbers and in plain sentences.

It answers the operator's question after "stop": may this demonstration be kept? Everything is read
from the recording itself. It knows rates, gaps, stillness and limits; it judges neither the task's
outcome (the detector and the operator do) nor the robot's path.
"""

import msgspec
import numpy as np

from recorders.array_layout import DamagedRecording
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader, StreamReader

STOPPED_S = 0.5         # more than any camera's pictures are under way when an episode ends
_TICK_COLUMNS = ("sent_velocity", "lateness_ns", "guards")


class QualityLimits(msgspec.Struct, frozen=True, kw_only=True):
    """From where on something is worth a sentence."""

    gap_periods: float = 2.5
    """An interval of this many periods of the stream's declared rate is a gap."""
    slow_share: float = 0.9
    """A stream slower than this share of its declared rate is flagged."""
    dropped_share: float = 0.0
    """More dropped samples than this share are flagged; every one, unless you say otherwise."""
    jitter_periods: float = 0.5
    """A 99th percentile of jitter above this many periods is flagged."""
    still: float = 0.01
    """A joint slower than this share of its velocity limit stands still."""
    idle_share: float = 0.5
    """An episode that stands still for more than this share of its time is flagged."""
    limit: float = 0.98
    """A joint faster than this share of its velocity limit is at the limit."""
    saturated_share: float = 0.2
    """An episode at the velocity limits for more than this share of its ticks is flagged."""
    late_share: float = 0.005
    """More ticks than this share beginning over one period late are flagged."""


class StreamQuality(msgspec.Struct, frozen=True, kw_only=True):
    """How one stream arrived.

    Attributes:
        name: of the stream.
        rows: how many samples were recorded.
        declared_hz, rate_hz: as the device promised, and as it was from first to last sample.
        dropped: samples that the device produced and nobody got, by gaps in `seq`.
        gaps: intervals that were too long, by time.
        longest_gap_s: the longest interval between two samples.
        jitter_p50_ms, jitter_p99_ms: how far intervals lie from their median.
        missing_pictures: rows whose picture is not there.
        frozen_pictures: pictures equal to the one before while the robot moved.
    """

    name: str
    rows: int
    declared_hz: float
    rate_hz: float
    dropped: int
    gaps: int
    longest_gap_s: float
    jitter_p50_ms: float
    jitter_p99_ms: float
    missing_pictures: int = 0
    frozen_pictures: int = 0


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """What `assess` found.

    Attributes:
        episode: its id.
        streams: in the order in which they were declared.
        idle_share: share of ticks in which every joint was told to stand still.
        saturated_share: share of ticks in which a joint was told to move at its velocity limit.
        late_ticks: ticks that began more than one period late.
        guard_shares: name of a safety guard to the share of ticks in which it acted; never zero.
        flags: plain sentences about what is out of the ordinary; none for a good recording.
    """

    episode: str
    streams: tuple[StreamQuality, ...]
    idle_share: float
    saturated_share: float
    late_ticks: int
    guard_shares: dict[str, float]
    flags: tuple[str, ...]


class Ticks(msgspec.Struct, frozen=True):
    """What the control loop's own record says. T = ticks."""

    speed: np.ndarray               # (T,) the fastest joint, as a share of its velocity limit
    stamps_ns: np.ndarray           # (T,)
    late: int
    guard_shares: dict[str, float]


def assess(episode: EpisodeReader, limits: QualityLimits | None = None) -> Quality:
    """Measure an episode.

    Columns are read; of the pictures only those that are as long, encoded, as the one before.
    Parts that cannot be read become flags, so that a damaged episode can be assessed, too.
    """
    limits = limits or QualityLimits()
    flags: list[str] = []
    ticks = Ticks(np.zeros(0), np.zeros(0, np.int64), 0, {})
    try:
        ticks = read_ticks(episode)
    except (DamagedRecording, ValueError) as error:
        flags.append(f"Idle time, limits and lateness are unknown: {error}")
    moving_ns = ticks.stamps_ns[ticks.speed >= limits.still]
    streams = []
    for reader in episode.streams.values():
        try:
            streams.append(assess_stream(reader, moving_ns, limits))
            flags += _stream_flags(streams[-1], limits) + _end_flags(episode, reader)
        except DamagedRecording as error:
            flags.append(f"{reader.spec.name} cannot be read: {error}")
    quality = Quality(
        episode=episode.episode, streams=tuple(streams), flags=(), late_ticks=ticks.late,
        idle_share=_share(ticks.speed < limits.still),
        saturated_share=_share(ticks.speed >= limits.limit), guard_shares=ticks.guard_shares)
    flags += _tick_flags(quality, len(ticks.speed), limits)
    return msgspec.structs.replace(quality, flags=tuple(flags))


def assess_stream(
    reader: StreamReader, moving_ns: np.ndarray, limits: QualityLimits
) -> StreamQuality:
    """Measure one stream.

    Args:
        reader: the stream.
        moving_ns: (M,) ascending stamps of ticks in which the robot was moving.
        limits: what counts as a gap.
    """
    stamps_ns = reader.stamps_ns
    intervals_s = np.diff(stamps_ns) / NS_PER_S
    span_s = float(intervals_s.sum())
    declared_hz = reader.spec.rate_hz
    jitter_ms = np.abs(intervals_s - np.median(intervals_s)) * 1e3 if len(intervals_s) \
        else np.zeros(1)
    too_long = intervals_s * declared_hz > limits.gap_periods
    pictures = [reader.images(name) for name in reader.image_names]
    frozen = np.zeros(len(stamps_ns), bool)
    for image in reader.spec.original_images:   # a mean over pixels may well stay the same
        frozen[reader.images(image.name).repeated()] = True
    # A camera that looks at a scene at rest may well give the same picture twice.
    moving = np.diff(np.searchsorted(moving_ns, stamps_ns), prepend=0) > 0
    return StreamQuality(
        name=reader.spec.name, rows=len(stamps_ns), declared_hz=declared_hz,
        rate_hz=len(intervals_s) / span_s if span_s > 0 else 0.0,
        dropped=int(np.maximum(np.diff(reader.column("seq")) - 1, 0).sum()),
        gaps=int(too_long.sum()),
        longest_gap_s=float(intervals_s.max()) if len(intervals_s) else 0.0,
        jitter_p50_ms=float(np.percentile(jitter_ms, 50)),
        jitter_p99_ms=float(np.percentile(jitter_ms, 99)),
        missing_pictures=sum(len(frames.missing()) for frames in pictures),
        frozen_pictures=int((frozen & moving).sum()))


def _stream_flags(stream: StreamQuality, limits: QualityLimits) -> list[str]:
    if stream.declared_hz == 0:             # its rows come when something happens
        return [f"{stream.name} lost {stream.dropped} of {stream.rows + stream.dropped} rows"
                ] if stream.dropped else []
    if stream.rows < 2:
        return [f"{stream.name} recorded {stream.rows} samples: check the device"]
    flags = []
    if 0 < stream.rate_hz < limits.slow_share * stream.declared_hz:
        flags.append(f"{stream.name} came at {stream.rate_hz:.1f} Hz instead of "
                     f"{stream.declared_hz:.1f} Hz")
    if stream.dropped > limits.dropped_share * stream.rows:
        flags.append(f"{stream.name} lost {stream.dropped} of {stream.rows + stream.dropped} "
                     f"samples (longest gap {stream.longest_gap_s:.2f} s)")
    elif stream.gaps:
        flags.append(f"{stream.name} paused {stream.gaps} times, for up to "
                     f"{stream.longest_gap_s:.2f} s")
    if stream.jitter_p99_ms * stream.declared_hz > limits.jitter_periods * 1e3:
        flags.append(f"{stream.name} came unevenly: 1 % of its intervals are off by "
                     f"{stream.jitter_p99_ms:.1f} ms or more")
    if stream.missing_pictures:
        flags.append(f"{stream.name} misses {stream.missing_pictures} pictures")
    if stream.frozen_pictures:
        flags.append(f"{stream.name} showed {stream.frozen_pictures} frozen pictures while the "
                     f"arm moved: check the camera's cable")
    return flags


def _end_flags(episode: EpisodeReader, reader: StreamReader) -> list[str]:
    """Whether a stream stopped before the episode did: no interval between samples tells that."""
    ended_ns = episode.attrs.get("ended_mono_ns", 0)
    if not len(reader.stamps_ns) or not ended_ns or reader.spec.rate_hz == 0:
        return []
    silent_s = (ended_ns - int(reader.stamps_ns[-1])) / NS_PER_S
    return [f"{reader.spec.name} said nothing for the last {silent_s:.1f} s: check the device"] \
        if silent_s > STOPPED_S else []


def _tick_flags(quality: Quality, ticks: int, limits: QualityLimits) -> list[str]:
    flags = []
    if quality.idle_share > limits.idle_share:
        flags.append(f"The arm stood still for {quality.idle_share:.0%} of the time")
    if quality.saturated_share > limits.saturated_share:
        flags.append(f"A joint moved at its velocity limit for {quality.saturated_share:.0%} of "
                     f"the time: demonstrate more slowly, or raise the limit")
    if quality.late_ticks > limits.late_share * ticks:
        flags.append(f"{quality.late_ticks} of {ticks} control ticks came more than a period "
                     f"late: the machine was busy")
    return flags


def read_ticks(episode: EpisodeReader) -> Ticks:
    """How fast the robot was told to move, and how the control loop did; empty without ticks.

    Raises:
        DamagedRecording, ValueError: if it cannot be read.
    """
    if "tick" not in episode or not all(name in episode["tick"] for name in _TICK_COLUMNS):
        return Ticks(np.zeros(0), np.zeros(0, np.int64), 0, {})
    tick = episode["tick"]
    velocity = np.nan_to_num(tick.column("sent_velocity"))                          # (T, D)
    limits = np.asarray(episode.attrs.get("robot", {}).get("max_velocity", ()))     # (D,)
    if velocity.shape[1:] != limits.shape:
        raise ValueError(f"the robot's {len(limits)} velocity limits do not fit its ticks' "
                         f"velocities of shape {velocity.shape}")
    speed = np.abs(velocity / limits).max(axis=1, initial=0.0)
    late = int((tick.column("lateness_ns") * tick.spec.rate_hz > NS_PER_S).sum())
    guards, names = tick.column("guards"), _guard_names(tick)
    shares = {name: _share((guards >> bit) & 1) for bit, name in enumerate(names)}
    return Ticks(speed, tick.stamps_ns, late, {n: share for n, share in shares.items() if share})


def _guard_names(tick: StreamReader) -> tuple[str, ...]:
    return next(column.values for column in tick.spec.columns if column.name == "guards")


def _share(where: np.ndarray) -> float:
    return float(where.mean()) if len(where) else 0.0
