"""What was said in an episode, as LeRobot's language columns and back.

`language_events` holds, in the row of the first frame that follows it, every change of the
instruction: role "user", style "interjection". `language_persistent` holds, told with every frame,
the sub-tasks with the timestamp of the first frame that follows each: role "assistant" for those
that the recording noted, "user" for what a person said in System 2's place; style "subtask". All
other rows of a dataset become events of kind "language" and go out again as they came.
Timestamps are those of frames, k/fps as float32, because LeRobot compares them exactly.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from recorders.exchange.lerobot_layout import EVENTS, PERSISTENT

INSTRUCTION, SUBTASK, OPERATOR_SUBTASK, OTHER = \
    "instruction", "subtask", "operator subtask", "language"
_ROLES = {SUBTASK: "assistant", OPERATOR_SUBTASK: "user"}
_TOLERANCE_S = 1e-4                 # LeRobot's own

Row = dict[str, Any]
Event = dict[str, Any]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of an episode's language columns.

    Attributes:
        persistent: in order of time.
        events: frame to its rows.
    """

    persistent: list[Row]
    events: dict[int, list[Row]]

    def __bool__(self) -> bool:
        return bool(self.persistent or self.events)


def rows_of(events: Sequence[Event], moments_ns: np.ndarray, fps: float) -> Said:
    """An episode's events as rows.

    Args:
        events: as recorded, in order.
        moments_ns: (N,) of the frames.
        fps: frames in a second.
    """
    spoken: dict[int, list[Row]] = {}
    lasting: dict[tuple[int, str], list[Row]] = {}
    noted: Row | None = None
    for event in events:
        stamp_ns, kind = int(event["t_mono_ns"]), event["kind"]
        k = min(int(np.searchsorted(moments_ns, stamp_ns)), len(moments_ns) - 1)
        at = {"timestamp": float(np.float32(k / fps))}
        if kind == INSTRUCTION and "after" in event and stamp_ns > moments_ns[0]:
            spoken.setdefault(k, []).append(_row("user", event["after"], "interjection"))
        elif kind == OTHER and event["column"] == EVENTS:
            spoken.setdefault(k, []).append(dict(event["row"]))
        elif kind == OTHER:
            lasting.setdefault((k, OTHER), []).append({**event["row"], **at})
        elif kind == SUBTASK and event["text"]:
            noted = _row("assistant", event["text"], "subtask") | at
            lasting[k, SUBTASK] = [noted]
        elif kind == OPERATOR_SUBTASK and event["text"]:
            lasting[k, OPERATOR_SUBTASK] = [_row("user", event["text"], "subtask") | at]
        elif kind == OPERATOR_SUBTASK and noted:       # taken back: what was noted holds again
            lasting.pop((k, OPERATOR_SUBTASK), None)
            lasting[k, SUBTASK] = [noted | at]
    in_order = sorted(lasting.items(), key=lambda item: item[0][0])
    return Said(persistent=[row for _, rows in in_order for row in rows], events=spoken)


def events_of(
    said: Said, tasks: Sequence[str], moments_ns: np.ndarray, fps: float
) -> list[Event]:
    """Rows as events, and an event for every frame from which another task holds.

    Args:
        said: of one episode.
        tasks: N texts, what every frame's task is.
        moments_ns: (N,) of the frames.
        fps: frames in a second.
    """
    found = [_lasting(row, moments_ns, fps) for row in said.persistent]
    for k in range(len(tasks)):
        rows = said.events.get(k, [])
        changed = k > 0 and tasks[k] != tasks[k - 1]
        edit = {"t_mono_ns": int(moments_ns[k]), "kind": INSTRUCTION,
                "before": tasks[k - 1], "after": tasks[k]}
        known = _row("user", tasks[k], "interjection") if changed else None
        if changed and known not in rows:
            found.append(edit)
        for row in rows:
            if row == known:
                found.append(edit)
                known = None
            else:
                found.append({"t_mono_ns": int(moments_ns[k]), "kind": OTHER, "column": EVENTS,
                              "row": row})
    return sorted(found, key=lambda event: event["t_mono_ns"])


def from_table(persistent: list[list[Row]] | None, events: list[list[Row]] | None) -> Said:
    """The rows of one episode as its Parquet columns hold them; None where there is no column."""
    told = next((rows for rows in persistent or () if rows), [])
    return Said(persistent=[_plain(row) for row in told],
                events={k: [_plain(row) for row in rows]
                        for k, rows in enumerate(events or ()) if rows})


def _lasting(row: Row, moments_ns: np.ndarray, fps: float) -> Event:
    since_s = float(row["timestamp"])
    k = min(max(round(since_s * fps), 0), len(moments_ns) - 1)
    exact = abs(since_s - k / fps) < _TOLERANCE_S
    stamp_ns = int(moments_ns[k]) if exact else int(moments_ns[0]) + round(since_s * 1e9)
    for kind, role in _ROLES.items():
        if row == _row(role, row["content"], "subtask") | {"timestamp": row["timestamp"]}:
            return {"t_mono_ns": stamp_ns, "kind": kind, "text": row["content"]}
    return {"t_mono_ns": stamp_ns, "kind": OTHER, "column": PERSISTENT,
            "row": {name: value for name, value in row.items() if name != "timestamp"}}


def _row(role: str, content: str, style: str) -> Row:
    return {"role": role, "content": content, "style": style, "camera": None, "tool_calls": None}


def _plain(row: Row) -> Row:
    calls = row.get("tool_calls")
    return {**row, "tool_calls": [one if isinstance(one, str) else msgspec.json.encode(one).decode()
                                  for one in calls] if calls is not None else None}
