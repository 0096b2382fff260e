"""Why a command about a plan cannot be carried out: one sentence that says what happened.

Plans change several times a second, so a person's edit is often of a plan that is over by then: it
holds if its moments are still to come, and is refused with what runs now if they are not. Pure
functions. Knows plans and limits; knows no mode and no arm.
"""

import math

import msgspec
import numpy as np

from recorders.clock import NS_PER_S
from studio.station.chunks.override_commands import (
    AcceptChunk,
    FixChunk,
    FixedStep,
    HoldChunk,
    OverrideCommand,
    SlowChunks,
    TrimChunk,
    VetoChunk,
)
from studio.station.chunks.overriding import Overriding, Steps
from studio.station.chunks.path import Path
from studio.station.chunks.ways import POSE
from studio.station.loop.safety import SafetyLimits

AXES = ("x", "y", "z")
LONGEST_HOLD_S = 600.0
MOST_STEPS = 256


class Running(msgspec.Struct, frozen=True):
    """The plan that runs.

    Attributes:
        chunk_id: its number.
        path: as it is followed.
        step: which of its targets the arm is led to now.
    """

    chunk_id: int
    path: Path
    step: int


def refusal_of_override(command: OverrideCommand, running: Running | None, decided: Overriding,
                        limits: SafetyLimits) -> str:
    """Why not; empty if it can be done."""
    match command:
        case SlowChunks(scale=scale):
            if not 0.0 < scale <= 1.0:
                return f"plans run at a speed above 0 and at most 1, not {scale}"
        case FixChunk():
            return _of_fixing(command, running, decided, limits)
        case TrimChunk(step=step, chunk_id=chunk_id):
            return _of_step(step, chunk_id, running)
        case HoldChunk(duration_s=duration_s, step=step, chunk_id=chunk_id):
            if not 0.0 <= duration_s <= LONGEST_HOLD_S:
                return f"a hold lasts 0 to {LONGEST_HOLD_S:.0f} s, not {duration_s}"
            return _of_chunk(chunk_id, running) if step == -1 else \
                _of_step(step, chunk_id, running)
        case VetoChunk(chunk_id=chunk_id):
            return _of_chunk(chunk_id, running)
        case AcceptChunk(chunk_id=chunk_id, steps=steps):
            if running is None or not decided.waits:
                return ("no plan waits to be accepted: wait for the next one" if decided.stepping
                        else "plans run without being accepted: switch on step by step first")
            return _of_chunk(chunk_id, running) or (
                f"steps are counted from 1, 0 for all of them, not {steps}" if steps < 0 else "")
    return ""


def _of_chunk(chunk_id: int, running: Running | None) -> str:
    if running is None:
        return "no plan is running: the policy has not planned since the last change"
    if chunk_id in (0, running.chunk_id):
        return ""
    return f"chunk {chunk_id} is over: chunk {running.chunk_id} runs now; look at it, and try again"


def _of_step(step: int, chunk_id: int, running: Running | None) -> str:
    if (refusal := _of_chunk(chunk_id, running)) or running is None:
        return refusal
    last = len(running.path.stamps_ns) - 2
    if not 0 <= step <= last:
        return f"chunk {running.chunk_id} has the steps 0 to {last}, not {step}"
    if step < running.step:
        return f"step {step} is past: the arm is led to step {running.step} by now"
    return ""


def _of_fixing(command: FixChunk, running: Running | None, decided: Overriding,
               limits: SafetyLimits) -> str:
    if running is None:
        return _of_chunk(command.chunk_id, running)
    steps = decided.known.get(command.chunk_id)
    if steps is None:
        return (f"chunk {command.chunk_id} is gone: chunk {running.chunk_id} runs now; look at it, "
                "and drag again")
    if not 0 < len(command.steps) <= MOST_STEPS:
        return f"1 to {MOST_STEPS} steps can be fixed at once, not {len(command.steps)}"
    return next((why for one in command.steps
                 if (why := _of_values(one, steps, running, decided, limits))), "")


def _of_values(one: FixedStep, steps: Steps, running: Running, decided: Overriding,
               limits: SafetyLimits) -> str:
    path, width = running.path, running.path.knots.shape[1]
    given = np.array([math.nan if value is None else value for value in one.values], dtype=float)
    if len(given) != width:
        return f"a target of this plan has {width} numbers, not {len(given)}"
    if not np.isfinite(given).any() or any(
            value is not None and not math.isfinite(value) for value in one.values):
        return f"step {one.step} fixes nothing, or something that is no number"
    if not 0 <= one.step < steps.count:
        return f"the chunk has the steps 0 to {steps.count - 1}, not {one.step}"
    if (left_ns := steps.at(one.step) - decided.time.now_ns) <= 0:
        return (f"step {one.step} is past: the arm is led to step {running.step} of chunk "
                f"{running.chunk_id} by now")
    if math.isfinite(given[-1]) and not 0.0 <= given[-1] <= 1.0:
        return f"a gripper is 0, closed, to 1, open, not {given[-1]:g}"
    return _of_pose(one.step, given, path, decided, left_ns, limits) if path.space == "tool" else ""


def _of_pose(step: int, given: np.ndarray, path: Path, decided: Overriding, left_ns: int,
             limits: SafetyLimits) -> str:
    for axis, low, high, value in zip(AXES, limits.workspace_low, limits.workspace_high, given[:3],
                                      strict=True):
        if math.isfinite(value) and not low <= value <= high:
            return f"{axis} = {value:.3f} m is outside the workspace, {low:g} to {high:g} m"
    turned = given[3:POSE]
    if np.isfinite(turned).any() and not abs(float(np.linalg.norm(turned)) - 1.0) < 1e-3:
        return "a rotation is fixed by all four numbers of a quaternion of length one"
    here, free = path.at(decided.time.now_ns)[:3], ~np.isfinite(given[:3])
    far_m = float(np.linalg.norm(np.where(free, 0.0, given[:3] - here)))
    left_s = left_ns / decided.scale / NS_PER_S
    if far_m > limits.tool_speed_m_s * left_s:
        return (f"step {step} is too soon: {100 * far_m:.0f} cm in {left_s:.2f} s is faster than "
                f"the {limits.tool_speed_m_s:g} m/s that the tool may go; fix a later step, or "
                "slow the plans down first")
    return ""
