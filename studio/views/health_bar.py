"""Every rate, lateness, drop and the disk, as short gauges for the bottom of a console.

Knows what is healthy and what is not; refuses to repair anything. A tone never stands alone: a
gauge that is not well says so in its text as well.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from studio.station.messages import Snapshot, StreamHealth
from studio.views.words import age, size

WELL, WARNING, FAULT, OFFLINE = "ready", "warning", "fault", "offline"
_LOW_DISK, _NO_DISK = 5_000_000_000, 500_000_000    # about an hour and five minutes of recording
_STALE_MS = 1000.0
_SLOW_SHARE = 0.9


class Gauge(msgspec.Struct, frozen=True):
    """One value of the health bar.

    Attributes:
        name: what is measured.
        text: the value.
        tone: name of a tone in look.py.
        tip: what it means, for a tooltip.
    """

    name: str
    text: str
    tone: str = WELL
    tip: str = ""


def gauges(snapshot: Snapshot | None, *, silent: bool = False, rate_hz: float = 100.0,
           missed: int = 0, dropped_before: Mapping[str, int] = MappingProxyType({})
           ) -> tuple[Gauge, ...]:
    """The gauges from left to right; none before the station spoke.

    Args:
        snapshot: the newest of the station.
        silent: the station has said nothing for a second: no value is known any more.
        rate_hz: what the control loop is to reach.
        missed: ticks that this console was too slow for.
        dropped_before: stream -> drops that are no news any more, such as those from before the
            episode; only newer ones are shown and warned of.
    """
    if snapshot is None:
        return ()
    of_station = (_control(snapshot, rate_hz), _lateness(snapshot, rate_hz),
                  *(_stream(stream, dropped_before.get(stream.name, 0))
                    for stream in snapshot.streams), _recorder(snapshot),
                  _disk(snapshot), _policy(snapshot))
    if silent:
        of_station = tuple(Gauge(gauge.name, "–", OFFLINE, "Not known: the station says nothing")
                           for gauge in of_station)
    return (*of_station, _screen(missed))


def _control(snapshot: Snapshot, rate_hz: float) -> Gauge:
    slow = snapshot.control_hz < _SLOW_SHARE * rate_hz
    return Gauge("Control", f"{snapshot.control_hz:.0f} Hz{' slow' if slow else ''}",
                 WARNING if slow else WELL, f"Ticks of the control loop; {rate_hz:g} Hz are wanted")


def _lateness(snapshot: Snapshot, rate_hz: float) -> Gauge:
    late = snapshot.lateness_p99_ms > 1000.0 / rate_hz
    return Gauge("Late", f"{snapshot.lateness_p99_ms:.1f} ms{' high' if late else ''}",
                 WARNING if late else WELL,
                 f"Lateness of ticks in the last 2 s: median {snapshot.lateness_p50_ms:.2f} ms, "
                 f"99th percentile {snapshot.lateness_p99_ms:.2f} ms, worst "
                 f"{snapshot.lateness_max_ms:.1f} ms; {snapshot.late_ticks:,} ticks over one "
                 "period late since the start")


def stream_text(stream: StreamHealth, before: int = 0) -> tuple[str, str]:
    """Rate of a stream and its drops since there were so many, and its tone."""
    if stream.age_ms < 0.0:
        return "nothing yet", WARNING
    if stream.age_ms > _STALE_MS:
        return f"silent {age(stream.age_ms)}", FAULT
    fresh = stream.dropped - before if stream.dropped >= before else stream.dropped
    drops = f", {fresh:,} dropped" if fresh else ""
    return f"{stream.rate_hz:.0f} Hz{drops}", WARNING if fresh else WELL


def _stream(stream: StreamHealth, before: int) -> Gauge:
    text, tone = stream_text(stream, before)
    return Gauge(stream.name.capitalize(), text, tone,
                 f"Stream '{stream.name}': {stream.rate_hz:.1f} Hz, {stream.dropped:,} samples "
                 f"dropped since the start, newest {age(stream.age_ms)} old")


def _recorder(snapshot: Snapshot) -> Gauge:
    recorder = snapshot.recorder
    tip = (f"Episodes committed since the start: {recorder.committed}; the last took "
           f"{recorder.last_commit_ms:.0f} ms from stop to committed")
    if recorder.overflowed:
        return Gauge("Recorder", f"{recorder.overflowed:,} lost", FAULT, tip)
    if not recorder.wanted:
        return Gauge("Recorder", "no store", "idle", "No store is open: only practice works")
    if not recorder.alive:
        return Gauge("Recorder", "off", WARNING, "No recorder runs: nothing would be kept")
    if recorder.error:
        return Gauge("Recorder", "trouble", FAULT, recorder.error)
    return Gauge("Recorder", f"{recorder.queued} waiting" if recorder.queued > 50 else "ok",
                 WELL, tip)


def _disk(snapshot: Snapshot) -> Gauge:
    free, recorder = snapshot.recorder.disk_free_bytes, snapshot.recorder
    if not recorder.alive:
        return Gauge("Disk", "–", "idle", "Known when a recorder runs")
    tip = f"Free on the disk of {recorder.store or 'the store'}"
    if free < _NO_DISK:
        return Gauge("Disk", f"full: {size(free)}", FAULT, tip + ": make room before recording")
    if free < _LOW_DISK:
        return Gauge("Disk", f"low: {size(free)}", WARNING, tip)
    return Gauge("Disk", size(free), WELL, tip)


def _policy(snapshot: Snapshot) -> Gauge:
    policy = snapshot.policy
    if policy is None:
        return Gauge("Policy", "none", "idle", "Nobody but people drives here")
    if not policy.alive:
        return Gauge("Policy", "silent", FAULT, policy.problem or "The policy says nothing")
    return Gauge("Policy", f"{policy.system1_hz:.0f} Hz · {age(policy.latent_age_ms)}",
                 WARNING if policy.problem else WELL,
                 policy.problem or f"System 1 at {policy.system1_hz:.1f} Hz, System 2 at "
                 f"{policy.system2_hz:.1f} Hz; age of what System 2 saw")


def _screen(missed: int) -> Gauge:
    return Gauge("Screen", f"{missed:,} missed", "idle",
                 "Ticks that this window was too slow to draw; recordings are not affected")
