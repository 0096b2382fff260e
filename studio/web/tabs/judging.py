"""What a person at the tab Episodes does to one episode or to many, and what takes it back.

Every act gives the commands that undo it. A refusal of one does not keep the rest from being done,
and is shown. Knows what may be said of an episode; the store decides.
"""

from collections.abc import Callable, Sequence

import gradio as gr

from studio.station.commands import (
    AboutEpisode,
    LabelEpisode,
    RelabelEpisode,
    Reply,
    RestoreEpisode,
    TrashEpisode,
)
from studio.views.episode_rows import EpisodeRow
from studio.views.interrupted import settle
from studio.views.player import trim_note
from studio.views.words import counted, sentence
from studio.web.parts import Parts
from studio.web.tabs.listing import Listing

Undo = tuple[AboutEpisode, ...]


class Judging:
    """Carries acts out.

    Args:
        parts: of the web desk.
        listing: knows which episodes are meant.
    """

    def __init__(self, parts: Parts, listing: Listing) -> None:
        self._parts, self._listing = parts, listing

    def label(self, label: str) -> Callable[[str, Sequence[str], str], Undo]:
        """An act that gives this label; the note in the box is that of a single episode."""
        done = "without a label now" if label == "unlabelled" else f"labelled {label}"

        def act(note: str, picked: Sequence[str], focus: str) -> Undo:
            return self._do(picked, focus, done, lambda row: LabelEpisode(
                row.episode, label, row.note if picked else (note or "").strip()))
        return act

    def trash(self, picked: Sequence[str], focus: str) -> Undo:
        """Put away what is not put away yet."""
        return self._do(picked, focus, "moved to the trash",
                        lambda row: None if row.trashed else TrashEpisode(row.episode))

    def restore(self, picked: Sequence[str], focus: str) -> Undo:
        """Bring back what is in the trash."""
        return self._do(picked, focus, "restored",
                        lambda row: RestoreEpisode(row.episode) if row.trashed else None)

    def keep_trim(self, picked: Sequence[str], focus: str) -> Undo:
        """Keep the proposal about idle time as a note, where there is one."""
        def noted(row: EpisodeRow) -> AboutEpisode | None:
            trim = self._parts.library().player(row.episode).trim
            return trim and LabelEpisode(row.episode, row.label, trim_note(row.note, trim))
        return self._do(picked, focus, "noted with the proposal", noted)

    def relabel(self, task: str, instruction: str, picked: Sequence[str], focus: str) -> Undo:
        """Say which task is shown, and how it should be asked for; an empty box leaves it."""
        if not (task or "").strip() and not (instruction or "").strip():
            gr.Warning("Nothing to relabel: give a task, an instruction, or both")
            return ()
        return self._do(picked, focus, "relabelled", lambda row: RelabelEpisode(
            row.episode, (task or "").strip() or None, (instruction or "").strip() or None))

    def settle(self, event: gr.EventData) -> None:
        """Keep or discard an interrupted episode, as a button beside it says."""
        for ask in settle(event.episode, event.choice):
            if not (reply := self._parts.library().say(ask)).accepted:
                gr.Warning(f"Refused: {sentence(reply.reason)}", duration=10)
                return
        gr.Info("Discarded: it is in the trash" if event.choice == "discard" else
                "Kept what there is of it", duration=4)

    def undo(self, asks: Undo) -> Undo:
        """Take the last act back."""
        if not asks:
            gr.Warning("There is nothing to undo")
            return ()
        _tell([self._parts.library().say(ask) for ask in asks], "taken back")
        return ()

    def _do(self, picked: Sequence[str], focus: str, done: str,
            make: Callable[[EpisodeRow], AboutEpisode | None]) -> Undo:
        rows = self._listing.meant(picked, focus)
        asks = [(row, ask) for row in rows if (ask := make(row)) is not None]
        if not asks:
            gr.Warning("There is nothing to do" if rows else "Choose or select episodes first")
            return ()
        replies = [self._parts.library().say(ask) for _, ask in asks]
        _tell(replies, done)
        return tuple(undo_of(row, ask) for (row, ask), reply in zip(asks, replies, strict=True)
                     if reply.accepted)


def undo_of(row: EpisodeRow, ask: AboutEpisode) -> AboutEpisode:
    """What takes `ask` back, as the episode stood before.

    Raises:
        ValueError: for something that nothing takes back.
    """
    match ask:
        case LabelEpisode():
            return LabelEpisode(row.episode, row.label, row.note)
        case RelabelEpisode():
            return RelabelEpisode(row.episode, row.task, row.instruction_full)
        case TrashEpisode():
            return RestoreEpisode(row.episode)
        case RestoreEpisode():
            return TrashEpisode(row.episode)
    raise ValueError(f"nothing takes {ask} back")


def _tell(replies: Sequence[Reply], done: str) -> None:
    refused = [reply.reason for reply in replies if not reply.accepted]
    if accepted := len(replies) - len(refused):
        gr.Info(f"{counted(accepted, 'episode')} {done}", duration=4)
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        gr.Warning(f"Refused: {sentence(refused[0])}{more}", duration=10)
