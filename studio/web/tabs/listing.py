"""What the tab Episodes shows: a function of the store, the filter, the page and the selection.

Knows the library and the pieces; refuses to know Gradio's events.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr

from studio.views.episode_rows import LABEL_LOOKS, EpisodeFilter, EpisodeRow, shown
from studio.views.pages import between, page_of
from studio.views.words import counted
from studio.web import episode_pieces, pieces
from studio.web.parts import Parts

ANY = "Any"


class Asked(NamedTuple):
    """What a page asks for; in the order of the tab's inputs."""

    text: str
    task: str
    label: str
    trashed: bool
    page: int
    picked: tuple[str, ...]
    focus: str


class Listing:
    """Draws what is asked for.

    Args:
        parts: of the web desk.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def rows(self, asked: Asked) -> tuple[EpisodeRow, ...]:
        """All rows that the filter lets through, the newest first."""
        wanted = EpisodeFilter(text=asked.text or "", task=_unless_any(asked.task),
                               label=_label_of(asked.label), trashed=bool(asked.trashed))
        return shown(self._parts.library().shelf().rows, wanted)[::-1]

    def drawn(self, asked: Asked) -> list[Any]:
        """The list, the words about the page, its number, the tasks, the selection and words."""
        rows, library = self.rows(asked), self._parts.library()
        shelf = library.shelf()
        page = page_of(len(rows), asked.page)
        visible = library.with_drivers(rows[page.first:page.last])
        there = {row.episode for row in shelf.rows}
        picked = tuple(one for one in asked.picked or () if one in there)
        tasks = sorted({row.task for row in shelf.rows})
        return [episode_pieces.listing(visible, frozenset(picked), asked.focus, shelf.trouble),
                page.words, page.number, gr.update(choices=[ANY, *tasks]), picked,
                self.selection(picked, asked.focus)]

    def row(self, episode: str) -> EpisodeRow | None:
        """The row of an episode, who drove it included; None for none."""
        found = self.meant((episode,), "") if episode else []
        return self._parts.library().with_drivers(found)[0] if found else None

    def meant(self, picked: Sequence[str], focus: str) -> list[EpisodeRow]:
        """The episodes on which the buttons act: the selected ones, or the one that is shown."""
        wanted = set(picked or ((focus,) if focus else ()))
        return [row for row in self._parts.library().shelf().rows if row.episode in wanted]

    def picked(self, asked: Asked, episode: str, how: str) -> tuple[str, ...]:
        """The selection after a click on an episode's box ("toggle") or one with Shift."""
        before = tuple(asked.picked or ())
        if how == "range":
            start = before[-1] if before else asked.focus or episode
            ids = [row.episode for row in self.rows(asked)]
            return tuple(dict.fromkeys((*before, *between(ids, start, episode))))
        if episode in before:
            return tuple(one for one in before if one != episode)
        return (*before, episode)

    def one(self, episode: str) -> list[Any]:
        """The player, what is known, quality, idle time and its button, and the three fields."""
        row = self.row(episode)
        if row is None:
            return [episode_pieces.player(None), "", "", "", gr.update(visible=False), "", "", ""]
        library = self._parts.library()
        view = library.player(episode)
        return [episode_pieces.player(view), episode_pieces.about(row),
                pieces.quality(library.quality(episode)), episode_pieces.trim(view),
                gr.update(visible=view.trim is not None), row.note, row.task,
                row.instruction_full]

    def selection(self, picked: Sequence[str], focus: str) -> str:
        """On which episodes the buttons act, in words."""
        if picked:
            return f"Acts on {counted(len(picked), 'selected episode')}"
        row = self.row(focus)
        return f"Acts on episode {row.number}" if row else "Choose or select episodes first"


def _unless_any(said: str) -> str:
    return "" if said == ANY else said or ""


def _label_of(word: str) -> str:
    return next((name for name, look in LABEL_LOOKS.items() if look[0] == word), "")
