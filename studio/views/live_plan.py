"""The plan that runs, on a timeline whose 0 is now: behind it what was, ahead what is to come.

Past: where the arm was, with the spans in which a person drove and the moments at which the driver
changed. Ahead: what the policy proposed, and what stands, with what a person fixed. A drag becomes
commands that fix or trim (override_commands.py). Knows snapshots and numbers; refuses to know a
plot, and whether an edit still comes in time: the station says so.
"""

from collections import deque
from itertools import pairwise

import msgspec

from recorders.clock import NS_PER_S
from studio.devices.interfaces import RobotInfo
from studio.station.chunks.override_commands import FixChunk, FixedStep, TrimChunk
from studio.station.messages import Mode, Owner, RunningChunk, Snapshot
from studio.views.chunk_timeline import Chunk, ChunkEdit

PAST_S = 1.2
TOOL_NAMES = ("x", "y", "z", "gripper")
TOOL_COLUMNS = (0, 1, 2, 7)     # of a target in tool space; its orientation is not dragged
_FAR_M = 2.0                    # nobody's arm is longer; the workspace is the station's to mind
_HANDS = (int(Owner.HUMAN), int(Owner.BLEND))


class Moment(msgspec.Struct, frozen=True):
    """Where the arm was."""

    stamp_ns: int
    tool: tuple[float, ...]     # x y z gripper
    joints: tuple[float, ...]
    hand: bool                  # a person drove, alone or with the policy
    epoch: int


class History:
    """The last seconds of snapshots."""

    def __init__(self) -> None:
        self._kept: deque[Moment] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Take a snapshot; one that was seen already changes nothing."""
        kept = self._kept
        if not snapshot.position or len(snapshot.tool_pose) < len(TOOL_NAMES) - 1:
            return
        if kept and snapshot.stamp_ns <= kept[-1].stamp_ns:
            if snapshot.stamp_ns == kept[-1].stamp_ns:
                return
            kept.clear()            # another station
        hand = snapshot.mode in (Mode.HUMAN, Mode.SHARED) or any(
            owner in _HANDS for owner in snapshot.owners)
        kept.append(Moment(snapshot.stamp_ns, (*snapshot.tool_pose[:3], snapshot.position[-1]),
                           snapshot.position, hand, snapshot.epoch))
        while kept[-1].stamp_ns - kept[0].stamp_ns > PAST_S * NS_PER_S:
            kept.popleft()

    def line(self, space: str, dimension: int) -> tuple[list[float], list[float]]:
        """Seconds before now, and a dimension's values at them."""
        if not self._kept:
            return [], []
        now_ns = self._kept[-1].stamp_ns
        inside = [(moment, moment.tool if space == "tool" else moment.joints)
                  for moment in self._kept]
        return ([(moment.stamp_ns - now_ns) / NS_PER_S for moment, _ in inside],
                [values[dimension] for _, values in inside])

    def hands(self) -> list[tuple[float, float]]:
        """Spans in which a person drove, in seconds before now."""
        spans: list[tuple[float, float]] = []
        if not self._kept:
            return spans
        now_ns, began_ns = self._kept[-1].stamp_ns, -1
        for moment in self._kept:
            if moment.hand and began_ns < 0:
                began_ns = moment.stamp_ns
            elif not moment.hand and began_ns >= 0:
                spans.append(_seconds(now_ns, began_ns, moment.stamp_ns))
                began_ns = -1
        if began_ns >= 0:
            spans.append(_seconds(now_ns, began_ns, now_ns))
        return spans

    def changes(self) -> list[float]:
        """When the driver changed, in seconds before now."""
        kept = list(self._kept)
        return [(after.stamp_ns - kept[-1].stamp_ns) / NS_PER_S
                for before, after in pairwise(kept)
                if after.epoch != before.epoch]


def _seconds(now_ns: int, began_ns: int, ended_ns: int) -> tuple[float, float]:
    return (began_ns - now_ns) / NS_PER_S, (ended_ns - now_ns) / NS_PER_S


def chunk_of(running: RunningChunk, robot: RobotInfo | None) -> Chunk:
    """The running plan as a timeline edits it; in tool space its place and the gripper.

    Args:
        running: of a snapshot.
        robot: its joints' names and limits, if it is known.
    """
    proposed = running.proposed or running.targets
    if running.space == "tool":
        names: tuple[str, ...] = TOOL_NAMES
        lower: tuple[float, ...] = (-_FAR_M,) * 3 + (0.0,)
        upper: tuple[float, ...] = (_FAR_M,) * 3 + (1.0,)
    else:
        width = len(proposed[0])
        names = robot.joint_names if robot else tuple(str(n + 1) for n in range(width))
        lower = robot.lower if robot else (-_FAR_M,) * width
        upper = robot.upper if robot else (_FAR_M,) * width
    return Chunk(number=running.chunk_id, step_s=running.step_s, names=names, lower=lower,
                 upper=upper, values=tuple(dragged(running, row) for row in running.targets),
                 committed=min(running.step + 1, len(running.targets)))


def dragged(running: RunningChunk, target: tuple[float, ...]) -> tuple[float, ...]:
    """Those numbers of a target that a timeline shows."""
    return tuple(target[column] for column in TOOL_COLUMNS) if running.space == "tool" else target


def commands_of(edit: ChunkEdit, shown: Chunk, space: str) -> tuple[FixChunk | TrimChunk, ...]:
    """What a drag asks of the station: the changed values are fixed, the cut end is trimmed.

    Args:
        edit: made when the mouse let go.
        shown: the chunk that was dragged.
        space: "tool" or "joints", of that chunk.
    """
    steps = tuple(
        FixedStep(step, _fixed(row, before, space))
        for step, (row, before) in enumerate(zip(edit.values, shown.values, strict=False))
        if row != before)
    asked: tuple[FixChunk | TrimChunk, ...] = (FixChunk(edit.chunk, steps),) if steps else ()
    if len(edit.values) < len(shown.values):
        asked += (TrimChunk(len(edit.values) - 1, edit.chunk),)
    return asked


def _fixed(row: tuple[float, ...], before: tuple[float, ...], space: str
           ) -> tuple[float | None, ...]:
    changed = [value if value != old else None for value, old in zip(row, before, strict=True)]
    if space != "tool":
        return tuple(changed)
    wide: list[float | None] = [None] * 8
    for column, value in zip(TOOL_COLUMNS, changed, strict=True):
        wide[column] = value
    return tuple(wide)


def fixed_points(running: RunningChunk, dimension: int) -> list[tuple[int, float]]:
    """Steps and values that a person fixed in a dimension that a timeline shows."""
    column = TOOL_COLUMNS[dimension] if running.space == "tool" else dimension
    return [(fixed.step, value) for fixed in running.fixed
            if (value := fixed.values[column]) is not None]


def words_of(running: RunningChunk, *, stepping: bool, scale: float) -> str:
    """What stands about the plan in a line above it."""
    left = len(running.targets) - running.step
    said = [f"Chunk {running.chunk_id}, {max(left, 0)} of {len(running.targets)} steps to go"]
    if running.waits:
        said.append("waits until you accept it")
    elif stepping:
        said.append("step by step")
    if running.fixed:
        said.append(f"{len(running.fixed)} fixed")
    if scale != 1.0:
        said.append(f"at {scale:.0%}")
    return ", ".join(said)
