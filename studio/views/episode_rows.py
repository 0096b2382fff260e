"""Recorded episodes as rows of a list: what a person sees of each, and which ones are shown.

Knows what the store says of an episode and who drove it; refuses to open a store. Long and foreign
texts come out as one plain line.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
import numpy as np

from recorders.clock import NS_PER_S
from recorders.episode import EpisodeSummary
from studio.station.messages import Owner
from studio.views.words import counted, duration, plain, shortened

LABEL_LOOKS: dict[str, tuple[str, str, str]] = {    # label -> word, icon, tone
    "success": ("Success", "circle-check", "ready"),
    "failure": ("Failure", "circle-x", "recording"),
    "partial": ("Partial", "circle-minus", "override"),
    "unlabelled": ("No label", "circle-dashed", "offline"),
}
_DRIVERS = ((Owner.HUMAN, "You"), (Owner.POLICY, "Policy"), (Owner.BLEND, "Shared"),
            (Owner.SCRIPT, "Script"))
SHOWN_LETTERS = 80


class EpisodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One episode in a list.

    Attributes:
        number: counted from 1 in the order of recording.
        when: local time of day at which it began.
        instruction: shortened to one line; `instruction_full` is not.
        label, label_icon, label_tone: judged by a person or by the detector.
        judged_by: who said so.
        drops: "no drops", or how many.
        driver: who drove, with shares if several did; "–" until it was read.
    """

    episode: str
    number: int
    when: str
    task: str
    instruction: str
    instruction_full: str
    label: str
    label_word: str
    label_icon: str
    label_tone: str
    judged_by: str
    note: str
    length: str
    drops: str
    dropped: int
    driver: str
    operator: str
    trashed: bool
    recovered: bool


class EpisodeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which episodes are shown; empty lets all through."""

    text: str = ""
    label: str = ""
    task: str = ""
    trashed: bool = False


def rows_of(summaries: Iterable[EpisodeSummary], drivers: Mapping[str, str] | None = None
            ) -> tuple[EpisodeRow, ...]:
    """Rows in the order in which they were recorded.

    Args:
        summaries: as `DemoStore.episodes(include_trashed=True)` gives them.
        drivers: episode id -> who drove, as `who_drove` says, as far as it is known.
    """
    known = drivers or {}
    return tuple(_row(number, summary, known.get(summary.episode, "–"))
                 for number, summary in enumerate(summaries, 1))


def _row(number: int, summary: EpisodeSummary, driver: str) -> EpisodeRow:
    word, icon, tone = LABEL_LOOKS[summary.label]
    begun = datetime.fromtimestamp(summary.started_wall_ns / NS_PER_S)
    return EpisodeRow(
        episode=summary.episode, number=number, when=f"{begun:%H:%M}", task=summary.task,
        instruction=shortened(summary.instruction, SHOWN_LETTERS),
        instruction_full=plain(summary.instruction), label=summary.label, label_word=word,
        label_icon=icon, label_tone=tone, judged_by=summary.label_by, note=plain(summary.note),
        length=duration(summary.duration_s),
        drops=counted(summary.dropped, "drop") if summary.dropped else "no drops",
        dropped=summary.dropped,
        driver=driver.replace("You", summary.operator or "You", 1), operator=summary.operator,
        trashed=summary.trashed, recovered=summary.recovered)


def shown(rows: Iterable[EpisodeRow], wanted: EpisodeFilter) -> tuple[EpisodeRow, ...]:
    """The rows that a filter lets through, in their order."""
    words = wanted.text.casefold().split()
    return tuple(row for row in rows
                 if row.trashed == wanted.trashed
                 and (not wanted.label or row.label == wanted.label)
                 and (not wanted.task or row.task == wanted.task)
                 and all(word in _said(row) for word in words))


def _said(row: EpisodeRow) -> str:
    return " ".join((row.episode, row.task, row.instruction_full, row.note, row.operator,
                     row.label_word)).casefold()


def who_drove(owners: np.ndarray) -> str:
    """Who drove an episode, by the ticks in which somebody moved something.

    Args:
        owners: (N, D) of the stream `tick`.

    Returns:
        "You", "You 80 %, Policy 20 %", or "Nobody".
    """
    shares = [(name, int(np.count_nonzero((owners == int(owner)).any(axis=1))))
              for owner, name in _DRIVERS]
    moved = [(name, count) for name, count in shares if count]
    total = sum(count for _, count in moved)
    if not moved:
        return "Nobody"
    if len(moved) == 1:
        return moved[0][0]
    return ", ".join(f"{name} {round(100 * count / total)} %" for name, count in moved)
