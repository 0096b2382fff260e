"""What a policy feels: the parts of proprioception, each from named columns.

`PARTS` is the whole vocabulary; a policy's spec names the parts that it wants, in order. The same
functions serve training and driving (see signals.py). Units are the columns' own, or a tanh
where a touch may be a hundred times harder than usual. Normalisation is none of this file's
business, except that every part says how small its spread may be called.

Letters: M moments, P numbers in all, D joints + gripper.
"""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from policy import rotations
from policy.data.signals import MissingSignal, Signals, latest, mean_over, require_columns
from recorders.streams import StreamSpec

FORCE_SPAN_NS = 50_000_000      # a wrench at 500 Hz shakes with the arm; 50 ms are 25 samples
SOFT_FORCE_N = 10.0             # where tanh bends: a firm press
SOFT_TORQUE_NM = 1.0
SOFT_TOUCH_N = 5.0              # a light grasp


class Part(msgspec.Struct, frozen=True):
    """A part of proprioception.

    Attributes:
        columns: (stream, column) pairs that it needs.
        compute: from signals and (M,) moments in ns to (M, width).
        width: how many numbers, from the widths of its columns in order.
        spread: the smallest spread worth the name, in the part's unit: a number that hardly ever
            changed in the demonstrations must not be blown up when it does.
    """

    columns: tuple[tuple[str, str], ...]
    compute: Callable[[Signals, np.ndarray], np.ndarray]
    width: Callable[[Sequence[int]], int]
    spread: float


def _tool(signals: Signals, moments_ns: np.ndarray) -> np.ndarray:
    """x y z in m, then the first two columns of the rotation matrix: no jumps, unlike angles."""
    pose = latest(signals, "arm", "tool_pose", moments_ns)
    matrix = rotations.to_matrix(pose[:, 3:])
    return np.concatenate([pose[:, :3], matrix[:, :, 0], matrix[:, :, 1]], axis=1)


def _gripper(signals: Signals, moments_ns: np.ndarray) -> np.ndarray:
    """Measured, and what was sent last: 0 closed, 1 open."""
    measured = latest(signals, "arm", "position", moments_ns)[:, -1]
    sent = latest(signals, "tick", "sent", moments_ns)[:, -1]
    return np.stack([measured, sent], axis=1)


def _lag(signals: Signals, moments_ns: np.ndarray) -> np.ndarray:
    """By how much the tool is behind its command, in m: how fast it moves, or what stops it."""
    sent = latest(signals, "tick", "sent_tool", moments_ns)[:, :3]
    return sent - latest(signals, "arm", "tool_pose", moments_ns)[:, :3]


def _touch(signals: Signals, moments_ns: np.ndarray) -> np.ndarray:
    """Of the two finger tips."""
    return np.tanh(latest(signals, "contact", "touch", moments_ns) / SOFT_TOUCH_N)


def _force(signals: Signals, moments_ns: np.ndarray) -> np.ndarray:
    """The wrist's wrench, averaged."""
    wrench = mean_over(signals, "contact", "wrench", moments_ns, FORCE_SPAN_NS)
    return np.tanh(wrench / ([SOFT_FORCE_N] * 3 + [SOFT_TORQUE_NM] * 3))


def _joints(signals: Signals, moments_ns: np.ndarray) -> np.ndarray:
    """All joints and the gripper."""
    return latest(signals, "arm", "position", moments_ns)


def _objects(signals: Signals, moments_ns: np.ndarray) -> np.ndarray:
    """Where a simulator's objects are: for the upper bound that knows what no camera tells."""
    return latest(signals, "sim", "objects", moments_ns).reshape(len(moments_ns), -1)


PARTS: dict[str, Part] = {
    "tool": Part((("arm", "tool_pose"),), _tool, lambda widths: 9, 0.02),
    "gripper": Part((("arm", "position"), ("tick", "sent")), _gripper, lambda widths: 2, 0.1),
    "lag": Part((("tick", "sent_tool"), ("arm", "tool_pose")), _lag, lambda widths: 3, 0.003),
    "touch": Part((("contact", "touch"),), _touch, lambda widths: widths[0], 0.05),
    "force": Part((("contact", "wrench"),), _force, lambda widths: widths[0], 0.05),
    "joints": Part((("arm", "position"),), _joints, lambda widths: widths[0], 0.05),
    "objects": Part((("sim", "objects"),), _objects, lambda widths: widths[0], 0.02),
}


def require_parts(parts: Sequence[str], streams: Sequence[StreamSpec], who: str) -> None:
    """Refuse unknown parts, and a robot or episode that lacks a column for one.

    Raises:
        ValueError: for an unknown part; the message lists the valid ones.
        MissingSignal: naming the part, the column, and what there is.
    """
    for part in parts:
        if part not in PARTS:
            raise ValueError(f"unknown part of proprioception '{part}': valid are "
                             f"{', '.join(PARTS)}")
        columns = PARTS[part].columns
        require_columns(columns, streams, who, dict.fromkeys(columns, f"'{part}'"))


def layout(parts: Sequence[str], streams: Sequence[StreamSpec]) -> dict[str, slice]:
    """Where each part lies among the P numbers; P is the last slice's stop."""
    require_parts(parts, streams, "this robot")
    places, begin = {}, 0
    for part in parts:
        widths = [_width(streams, stream, column) for stream, column in PARTS[part].columns]
        end = begin + PARTS[part].width(widths)
        places[part] = slice(begin, end)
        begin = end
    return places


def proprioception(
    parts: Sequence[str], signals: Signals, moments_ns: np.ndarray
) -> np.ndarray:
    """What was felt at each moment.

    Args:
        parts: names out of `PARTS`.
        signals: recorded or live.
        moments_ns: (M,).

    Returns:
        (M, P) float32, not normalised.
    """
    felt = [PARTS[part].compute(signals, moments_ns) for part in parts]
    return np.concatenate(felt or [np.zeros((len(moments_ns), 0))], axis=1).astype(np.float32)


def smallest_spread(parts: Sequence[str], streams: Sequence[StreamSpec]) -> np.ndarray:
    """(P,) the smallest spread that each number may be given; see `Part.spread`."""
    places = layout(parts, streams)
    return np.concatenate([np.full(where.stop - where.start, PARTS[part].spread)
                           for part, where in places.items()] or [np.zeros(0)])


def _width(streams: Sequence[StreamSpec], stream: str, column: str) -> int:
    for spec in streams:
        for one in spec.columns:
            if (spec.name, one.name) == (stream, column):
                return int(np.prod(one.shape, dtype=int))
    raise MissingSignal(f"there is no {stream}/{column}")
