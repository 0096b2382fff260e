"""The tab Episodes: look through what was recorded, judge it, put it away and bring it back.

The list is drawn a page at a time, so that ten thousand episodes stay usable. What is done is done
to the selected episodes, or to the one that is shown if none is selected. Knows where things stand
and which click does what; listing.py draws, judging.py acts.
"""

from typing import Any

import gradio as gr

from studio.views.episode_rows import LABEL_LOOKS
from studio.views.icons import icon
from studio.web import episode_pieces
from studio.web.parts import Parts
from studio.web.tabs.judging import Judging
from studio.web.tabs.listing import ANY, Asked, Listing
from studio.web.widgets import QUIET, button, html, place

# A click on a row shows it, on its box selects it; with Shift, all in between.
_ON_LIST = """
element.addEventListener('click', (event) => {
  const row = event.target.closest('[data-episode]');
  if (!row) return;
  const selects = event.target.matches('[data-pick]') || event.ctrlKey || event.metaKey;
  const how = event.shiftKey ? 'range' : selects ? 'toggle' : 'show';
  trigger('pick', { episode: row.dataset.episode, how });
});
element.addEventListener('desk-changed', () => trigger('changed', {}));
"""

_ON_INTERRUPTED = """
element.addEventListener('click', (event) => {
  const choice = event.target.closest('[data-settle]');
  if (choice) trigger('settle', { episode: choice.dataset.of, choice: choice.dataset.settle });
});
"""


class _List:
    """The left half: the store, what is to be settled, filter, pages, rows."""

    def __init__(self) -> None:
        with gr.Accordion("Store…", open=False, elem_id="stores"):
            self.path = gr.Textbox(label="Folder", elem_id="store-path", max_lines=1,
                                   placeholder="Of a store; a desk makes a new one")
            self.open = button("folder-open", "Open this store", "store-open", size="md")
        place("store")
        self.interrupted = place("interrupted", js_on_load=_ON_INTERRUPTED)
        with gr.Row(elem_id="filter"):
            self.text = gr.Textbox(label="Filter", placeholder="Words…",
                                   elem_id="filter-text", scale=2, min_width=120)
            self.task = gr.Dropdown([ANY], value=ANY, label="Task", elem_id="filter-task",
                                    min_width=120, allow_custom_value=True)
            self.label = gr.Dropdown([ANY, *(look[0] for look in LABEL_LOOKS.values())],
                                     value=ANY, label="Label", elem_id="filter-label",
                                     min_width=104)
            self.trashed = gr.Checkbox(label="Trash", elem_id="filter-trash", min_width=72)
        with gr.Row(elem_id="pager"):
            self.back = button("chevron-left", "", "page-back", size="sm", min_width=44)
            self.where = html(elem_id="page-words")
            self.on = button("chevron-right", "", "page-on", size="sm", min_width=44)
            self.everything = gr.Button("Select all", size="sm", elem_id="select-all",
                                        min_width=100)
            self.nothing = gr.Button("Select none", size="sm", elem_id="select-none",
                                     min_width=110)
        self.rows = html(elem_id="episode-list", js_on_load=_ON_LIST)


class _One:
    """The right half: the player, the buttons that judge, what is known."""

    def __init__(self) -> None:
        self.player = html(episode_pieces.player(None), elem_id="player")
        with gr.Row(elem_id="judge"):
            self.selection = html("Choose or select episodes first", elem_id="selection")
            self.labels = [
                gr.Button(f"{icon(look[1])}  {look[0]}", elem_id=f"label-{name}", min_width=110,
                          elem_classes=[f"tone-{look[2]}", "judge"])
                for name, look in LABEL_LOOKS.items()]
        with gr.Row(elem_id="acts"):
            self.note = gr.Textbox(label="Note", elem_id="note", max_lines=3, min_width=160,
                                   placeholder="Saved with the label")
            self.trash = button("trash-2", "Move to trash", "trash", size="md")
            self.restore = button("archive-restore", "Restore", "restore", size="md")
            self.undo = button("undo-2", "Undo", "undo", size="md")
        with gr.Row(elem_id="known"):
            with gr.Column(min_width=300):
                self.about = html(elem_id="about")
                with gr.Accordion("Relabel task and instruction…", open=False, elem_id="renaming"):
                    self.task = gr.Textbox(label="Task", elem_id="new-task")
                    self.words = gr.Textbox(label="Instruction", elem_id="new-instruction",
                                            max_lines=4)
                    self.relabel = gr.Button("Relabel", elem_id="relabel")
            with gr.Column(min_width=300):
                self.quality = html(elem_id="quality")
                self.trim = html(elem_id="trim")
                self.keep_trim = button("scissors", "Keep the proposal as a note", "keep-trim",
                                        size="sm", visible=False)


def build(parts: Parts, picked: gr.State) -> None:
    """Put the tab together."""
    listing = Listing(parts)
    judging = Judging(parts, listing)
    focus, page, undo = gr.State(""), gr.State(0), gr.State(())
    with gr.Row(elem_id="episodes"):
        with gr.Column(scale=2, min_width=440):
            left = _List()
        with gr.Column(scale=3, min_width=520):
            right = _One()
    asked = [left.text, left.task, left.label, left.trashed, page, picked, focus]
    drawn = [left.rows, left.where, page, left.task, picked, right.selection]
    one = [right.player, right.about, right.quality, right.trim, right.keep_trim, right.note,
           right.task, right.words]

    def draw(change: dict[str, Any] | None = None, turn: int = 0) -> Any:
        def listed(*given: Any) -> list[Any]:
            now = Asked(*given)._replace(**change or {})
            return listing.drawn(now._replace(page=now.page + turn))
        return listed

    def select_all(*given: Any) -> list[Any]:
        now = Asked(*given)
        ids = tuple(row.episode for row in listing.rows(now))
        return listing.drawn(now._replace(picked=ids))

    def pick(event: gr.EventData, *given: Any) -> list[Any]:
        now, episode, how = Asked(*given), event.episode, event.how
        if how == "show":
            return [gr.skip(), now.picked, episode, listing.selection(now.picked, episode),
                    *listing.one(episode)]
        chosen = listing.picked(now, episode, how)
        rows = listing.drawn(now._replace(picked=chosen))[0] if how == "range" else gr.skip()
        return [rows, chosen, now.focus, listing.selection(chosen, now.focus),
                *(gr.skip() for _ in one)]

    def changed(*given: Any) -> list[Any]:
        now = Asked(*given)
        return [*listing.drawn(now), episode_pieces.about(listing.row(now.focus))]

    for event in (left.text.change, left.task.input, left.label.input, left.trashed.input):
        event(draw({"page": 0}), asked, drawn, trigger_mode="always_last", **QUIET)
    left.open.click(parts.open_store, left.path, None, **QUIET)
    left.path.submit(parts.open_store, left.path, None, **QUIET)
    left.interrupted.settle(judging.settle, None, None, **QUIET)
    left.back.click(draw(turn=-1), asked, drawn, **QUIET)
    left.on.click(draw(turn=+1), asked, drawn, **QUIET)
    left.everything.click(select_all, asked, drawn, **QUIET)
    left.nothing.click(draw({"picked": ()}), asked, drawn, **QUIET)
    left.rows.pick(pick, asked, [left.rows, picked, focus, right.selection, *one], **QUIET)
    left.rows.changed(changed, asked, [*drawn, right.about], trigger_mode="always_last", **QUIET)

    meant = [picked, focus]
    for name, labels in zip(LABEL_LOOKS, right.labels, strict=True):
        labels.click(judging.label(name), [right.note, *meant], undo, **QUIET)
    right.trash.click(judging.trash, meant, undo, **QUIET)
    right.restore.click(judging.restore, meant, undo, **QUIET)
    right.undo.click(judging.undo, undo, undo, **QUIET)
    right.keep_trim.click(judging.keep_trim, meant, undo, **QUIET)
    right.relabel.click(judging.relabel, [right.task, right.words, *meant], undo, **QUIET)

