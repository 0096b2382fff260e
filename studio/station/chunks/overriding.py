"""What a person has decided about the plans, and what becomes of the path that runs.

Fixed values bend the path; a trim or a hold ends it and lets the arm stand until the policy has
looked again; a slower speed, and running step by step, are matters of the plans' time. None of it
moves the arm by itself: what comes of it is a path like any other, and passes the limiter. Whether
a command makes sense is asked before, of override_refusals.py. Knows paths and moments of the plan;
knows no policy, no mode and no arm.
"""

from collections import deque

import msgspec
import numpy as np

from policy.interfaces import Chunk
from recorders.clock import NS_PER_S
from studio.station.chunks.bend import Fixed, Start, bend_through
from studio.station.chunks.override_commands import (
    AcceptChunk,
    FixChunk,
    FixedStep,
    FreeChunk,
    HoldChunk,
    OverrideCommand,
    SlowChunks,
    StepChunks,
    TrimChunk,
    VetoChunk,
)
from studio.station.chunks.path import Path
from studio.station.chunks.plan_time import PlanTime
from studio.station.chunks.shown_plan import Override
from studio.station.chunks.ways import way

KNOWN = 16                  # chunks whose steps can still be named: two seconds of a usual pace
VETO_AGAIN_NS = 5 * NS_PER_S
VETOES = 2                  # within that time: then the person is asked
SLOPE_NS = 10_000_000       # over which a path's speed is taken


class Steps(msgspec.Struct, frozen=True):
    """When the targets of a chunk are due.

    Attributes:
        first_ns: moment of the plan.
        count: H, as it was planned.
    """

    first_ns: int
    step_ns: int
    count: int

    def at(self, step: int) -> int:
        """The moment of a step."""
        return self.first_ns + step * self.step_ns


class Overriding:
    """A person's decisions about one player's plans.

    Attributes:
        time: of the plans.
        fixed: ascending, of moments to come when they were fixed.
        scale: the speed that is wanted of all plans.
        stepping: only what is accepted runs.
        waits: the running chunk is to be accepted first.
        vetoes: in a row.
        known: recent chunks of this epoch, by number.
    """

    def __init__(self) -> None:
        self.time = PlanTime()
        self.fixed: tuple[Fixed, ...] = ()
        self.scale = 1.0
        self.stepping = self.waits = False
        self.vetoes = 0
        self.known: dict[int, Steps] = {}
        self._order: deque[int] = deque(maxlen=KNOWN)
        self._stand_ns = 0
        self._vetoed_ns = -1

    def forget(self) -> None:
        """What was planned is dropped, and what was decided about it with it; settings stay."""
        self.fixed, self.waits, self._stand_ns = (), False, 0
        self.known.clear()
        self.time.sync()

    def begin(self) -> None:
        """Another scene: vetoes are counted anew."""
        self.vetoes, self._vetoed_ns = 0, -1

    def tick(self, stamp_ns: int, *, driving: bool) -> int:
        """Another tick; returns its moment of the plan. A plan that is only watched runs freely."""
        self.time.scale = self.scale if driving else 1.0
        return self.time.advance(stamp_ns)

    def objection(self, chunk: Chunk) -> str:
        """Why a new chunk is not taken now; empty if it may be."""
        if chunk.observation_ns <= self._vetoed_ns:
            return "the chunk was planned from before the operator dropped a plan"
        if self.waits:
            return "a plan waits for the operator to accept it"
        if self.time.stop_ns is not None:
            if self.time.stood_ns is None:
                return "the operator has the arm end the running plan first"
            if chunk.observation_ns <= self.time.stood_ns + self._stand_ns:
                return "the chunk was planned from before the arm stood as the operator wants it to"
        return ""

    def taken(self, chunk: Chunk, new: Path, old: Path | None, *, driving: bool) -> Path:
        """A chunk is played from now on; returns its path with what is decided already."""
        moment_ns = self.time.now_ns
        self.time.go()
        self._stand_ns = 0
        if len(self._order) == KNOWN:
            self.known.pop(self._order[0], None)
        self._order.append(chunk.chunk_id)
        self.known[chunk.chunk_id] = Steps(int(new.stamps_ns[1]), chunk.step_ns,
                                           len(chunk.targets))
        if self.stepping and driving:
            self.waits = True
            self.time.stop_at(moment_ns)
        self._drop_past()
        if not self.fixed or not driving:
            return new
        slope = () if old is None or old.space != new.space else tuple(
            (_speed(old, moment_ns - SLOPE_NS) - _speed(new, moment_ns)).tolist())
        return _bent(new, self.fixed, Start(moment_ns, (), slope))

    def obey(self, command: OverrideCommand, path: Path | None, now_ns: int) -> Path | None:
        """Carry out a command that makes sense; returns the path that runs then, None: none."""
        match command:
            case FixChunk():
                return self._fix(command, path)
            case FreeChunk():
                self.fixed = ()
                return self._bend_again(path)
            case TrimChunk():
                return self._end(path, command.step, 0)
            case HoldChunk():
                return self._end(path, command.step, round(command.duration_s * NS_PER_S))
            case SlowChunks():
                self.scale = command.scale
            case VetoChunk():
                return self._veto(now_ns)
            case StepChunks():
                self._step(on=command.on)
            case AcceptChunk():
                self._accept(path, command.steps)
        return path

    def flags(self) -> Override:
        """What of it holds in this tick."""
        now_ns, flags = self.time.now_ns, Override.NONE
        if self.fixed and self.fixed[-1].at_ns >= now_ns:
            flags |= Override.FIXED
        if self.time.scale < 1.0:
            flags |= Override.SLOWED
        if self.waits:
            return flags | Override.WAITS
        return flags | (Override.STANDS if self.time.stood_ns is not None else Override.NONE)

    def steps_of(self, chunk_id: int) -> tuple[FixedStep, ...]:
        """What is fixed from now on, in steps of a chunk."""
        if (steps := self.known.get(chunk_id)) is None:
            return ()
        return tuple(FixedStep(round((one.at_ns - steps.first_ns) / steps.step_ns),
                               tuple(None if value != value else value for value in one.values))
                     for one in self.fixed if one.at_ns >= self.time.now_ns)

    # ---- inside ----------------------------------------------------------------------------------

    def _fix(self, command: FixChunk, path: Path | None) -> Path | None:
        steps = self.known[command.chunk_id]
        new = {steps.at(one.step): one.values for one in command.steps}
        kept = {one.at_ns: one for one in self.fixed}
        for at_ns, values in new.items():
            before = kept[at_ns].values if at_ns in kept else (np.nan,) * len(values)
            kept[at_ns] = Fixed(at_ns, tuple(
                old if value is None else float(value)
                for old, value in zip(before, values, strict=True)), steps.step_ns)
        self.fixed = tuple(kept[at_ns] for at_ns in sorted(kept))
        return self._bend_again(path)

    def _bend_again(self, path: Path | None) -> Path | None:
        self._drop_past()
        if path is None or (path.bend is None and not self.fixed):
            return path
        moment_ns = self.time.now_ns
        aside, slope = ((), ()) if path.bend is None else (
            tuple(part.tolist()) for part in path.bend.added(moment_ns))
        return _bent(path, self.fixed, Start(moment_ns, aside, slope))

    def _end(self, path: Path | None, step: int, stand_ns: int) -> Path | None:
        self._stand_ns = stand_ns
        if path is None:
            return None
        if step >= 0:
            path = path.until(step)
        if not self.waits:
            if step >= 0:
                self.time.stop_at(int(path.stamps_ns[-1]))
            else:
                self.time.brake()
        return path

    def _veto(self, now_ns: int) -> None:
        again = self._vetoed_ns >= 0 and now_ns - self._vetoed_ns < VETO_AGAIN_NS
        self.vetoes = self.vetoes + 1 if again else 1
        self.forget()
        self._vetoed_ns = now_ns

    def _step(self, *, on: bool) -> None:
        changed, self.stepping, self.waits = on is not self.stepping, on, False
        if changed and self.known:
            self.time.brake()           # either way the policy looks again before it goes on

    def _accept(self, path: Path | None, steps: int) -> None:
        if path is None:
            return
        ahead = path.stamps_ns[1:][path.stamps_ns[1:] > self.time.now_ns]
        until_ns = ahead[min(steps or len(ahead), len(ahead)) - 1] if len(ahead) else 0
        self.waits, self.vetoes = False, 0
        self.time.stop_at(int(until_ns))

    def _drop_past(self) -> None:
        self.fixed = tuple(one for one in self.fixed if one.at_ns > self.time.now_ns)


def _bent(path: Path, fixed: tuple[Fixed, ...], start: Start) -> Path:
    fitting = tuple(one for one in fixed if len(one.values) == path.knots.shape[1])
    return msgspec.structs.replace(
        path, bend=bend_through(path.space, path.unbent, fitting, start))


def _speed(path: Path, moment_ns: int) -> np.ndarray:
    """(W,) per second, from a moment on."""
    led = way(path.space, path.at(moment_ns), path.at(moment_ns + SLOPE_NS))
    return led * (NS_PER_S / SLOPE_NS)
