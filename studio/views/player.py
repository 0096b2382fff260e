"""A recorded episode as something to scrub through: its length, its pictures' times, its events.

Times are seconds from the episode's beginning. Knows what a player needs; refuses to know where
pictures come from and how they are drawn.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import msgspec

from recorders.trim import TrimProposal
from studio.views.words import plain

CURVE_POINTS = 240      # more than the strip below a picture has pixels to show


class Mark(msgspec.Struct, frozen=True):
    """Something that happened."""

    at_s: float
    what: str


class PlayerView(msgspec.Struct, frozen=True, kw_only=True):
    """What a player is given.

    Attributes:
        episode: its id.
        length_s: from its beginning to its end.
        cameras: stream -> times of its pictures, ascending; the row is the position.
        marks: what happened, in order.
        speed: how fast the arm was told to move, 0..1, at equal distances from 0 to the end.
        trim: what could be left away.
        trouble: why something is missing; empty if all is there.
    """

    episode: str
    length_s: float
    cameras: Mapping[str, tuple[float, ...]]
    marks: tuple[Mark, ...] = ()
    speed: tuple[float, ...] = ()
    trim: TrimProposal | None = None
    trouble: str = ""


def row_at(times_s: Sequence[float], at_s: float) -> int:
    """The picture that a person would have seen then: the newest that had come, or the first."""
    return max(0, bisect_right(times_s, at_s) - 1)


def mark_of(at_s: float, event: Mapping[str, object]) -> Mark:
    """An event of a recording in a person's words."""
    kind = str(event.get("kind", ""))
    if kind == "mode":
        what = f"{event.get('before', '')} → {event.get('after', '')} {event.get('why', '')}"
    elif kind == "instruction":
        what = f"Instruction: {event.get('after', '')}"
    else:
        said = event.get("text") or event.get("why") or ""
        what = f"{kind.capitalize()}: {said}" if said else kind.capitalize()
    by = f" ({event['by']})" if event.get("by") else ""
    return Mark(round(at_s, 3), plain(what + by))


def trim_sentence(trim: TrimProposal) -> str:
    """What would go, for a person."""
    parts = [f"{idle_s:.1f} s at the {where}"
             for idle_s, where in ((trim.head_s, "beginning"), (trim.tail_s, "end")) if idle_s]
    return f"The arm stands still for {' and '.join(parts)}"


def trim_note(note: str, trim: TrimProposal) -> str:
    """A note that carries the proposal; an older proposal in it is replaced."""
    kept = " ".join(part for part in note.split(" · ") if part and not part.startswith("trim "))
    said = f"trim {trim.start_s:.2f}–{trim.end_s:.2f} s"
    return f"{kept} · {said}" if kept else said
