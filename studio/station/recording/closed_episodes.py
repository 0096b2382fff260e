"""What may be said of an episode that is closed, and how a store is told.

The control loop refuses at once what is wrong whatever the store holds; the recorder, which has the
store, carries the rest out. Knows the words and the store's methods; refuses to know links.
"""

from typing import TYPE_CHECKING, cast

from recorders.episode import LABELS, Label
from studio.station.commands import (
    AboutEpisode,
    LabelEpisode,
    RelabelEpisode,
    RestoreEpisode,
    SettleInterrupted,
    TrashEpisode,
)
from studio.station.recording.long_texts import refusal_of_text

if TYPE_CHECKING:
    from recorders.store import DemoStore


def refusal_of(about: AboutEpisode) -> str:
    """Why this cannot be said of any episode; empty if it can be."""
    if not about.episode.strip():
        return "no episode is named: give the id of a closed one"
    if isinstance(about, LabelEpisode) and about.label not in LABELS:
        return f"unknown label '{about.label}': valid are {', '.join(LABELS)}"
    if isinstance(about, RelabelEpisode) and about.task is None and about.instruction is None:
        return "nothing to relabel: give a task, an instruction, or both"
    if isinstance(about, LabelEpisode):
        return refusal_of_text("a note", about.note)
    if isinstance(about, RelabelEpisode):
        return (refusal_of_text("a task's name", about.task)
                or refusal_of_text("an instruction", about.instruction))
    return ""


def carry_out(store: "DemoStore", about: AboutEpisode, by: str) -> None:
    """Say it to the store.

    Args:
        store: open for writing.
        about: what is said, of which episode.
        by: who says so.

    Raises:
        StoreError: no such episode, or it cannot be done; names the valid ids or the reason.
    """
    match about:
        case LabelEpisode():
            store.label(about.episode, cast(Label, about.label), about.note, by=by)
        case RelabelEpisode():
            store.relabel(about.episode, about.task, about.instruction, by=by)
        case TrashEpisode():
            store.trash(about.episode, by=by)
        case RestoreEpisode():
            store.restore(about.episode, by=by)
        case SettleInterrupted():
            store.recover(about.episode, keep=about.keep)
