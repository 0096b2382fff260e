"""The tab Train: learning from corrections while one drives, and which version drives.

Knows fields and what is asked of the desk; whether a version may drive is the gate's to say.
"""

from typing import Any

import gradio as gr

from studio.station.desk.link import DeskState
from studio.station.training.training_link import Promote, RollBack, StartTraining, StopTraining
from studio.views.training_words import METHODS, reason_for, version_rows
from studio.web.parts import Parts, show_reply
from studio.web.widgets import ON_CHANGE, QUIET, button, html, place

# Around a piece, not in it: what a person opened stays open when the piece is put anew.
_LOSSES = ('<details class="card losses"><summary>Parts of the loss</summary>'
           '<div data-live="losses"></div></details>')


def build(parts: Parts, _picked: gr.State) -> None:
    """Put the tab together."""
    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            _training(parts)
            offered = _versions(parts)
        with gr.Column(scale=2, min_width=420):
            place("training", "card")
            html(_LOSSES, elem_id="losses")
            versions = place("versions", "card", js_on_load=ON_CHANGE)

    def offer() -> Any:
        return gr.update(choices=[(f"{row.words}, {row.standing.lower()}",
                                   f"{row.number} {row.run}")
                                  for row in version_rows(parts.feed.view.state)])

    versions.changed(offer, outputs=offered, **QUIET)


def _training(parts: Parts) -> None:
    method = gr.Dropdown([(words, name) for name, words in METHODS], value=METHODS[0][0],
                         label="How corrections weigh", elem_id="train-method")
    minutes = gr.Number(3, label="Minutes", minimum=0.1, elem_id="train-minutes")
    stores = gr.Textbox(label="Further stores", lines=2, placeholder="datasets/bin",
                        info="Folders of demonstrations, one a line; the desk's own store and what "
                             "the policy was trained from are learned from anyway",
                        elem_id="train-stores")
    with gr.Row():
        start = button("dumbbell", "Train", "train-start", variant="primary")
        stop = button("square", "Stop", "train-stop")
        resume = button("play", "Go on", "train-resume")

    def begin(how: str, long: float, folders: str) -> None:
        show_reply(parts.feed.ask_desk(request_of(how, long, folders)), "The training begins")

    start.click(begin, inputs=[method, minutes, stores], **QUIET)
    stop.click(lambda: show_reply(parts.feed.ask_desk(StopTraining()),
                                  "The training ends after its step"), **QUIET)
    resume.click(lambda: show_reply(parts.feed.ask_desk(StartTraining(resume=True)),
                                    "The training goes on"), **QUIET)


def _versions(parts: Parts) -> gr.Dropdown:
    which = gr.Dropdown([], label="Version", elem_id="version", info="Newest first")
    scenes = gr.Number(0, label="Simulated scenes to try it in first", precision=0, minimum=0,
                       elem_id="version-scenes")
    reason = gr.Textbox(label="Reason to overrule the gate", elem_id="version-reason",
                        placeholder="Of the version that it refused last")
    with gr.Row():
        promote = button("badge-check", "Let it drive", "promote", variant="primary")
        back = button("undo-2", "Roll back", "roll-back")

    def let(chosen: str, tried: float, why: str) -> Any:
        if not chosen:
            gr.Warning("Choose a version")
            return gr.skip()
        asked = promotion_of(chosen, tried, why, parts.feed.view.state)
        if (why or "").strip() and not asked.overrule:
            gr.Info("The gate decides of this version first: a reason is for the one that it "
                    "refused last")
        show_reply(parts.feed.ask_desk(asked), "It is measured, and drives if it passes")
        return ""           # the reason was for this once

    promote.click(let, inputs=[which, scenes, reason], outputs=reason, **QUIET)
    back.click(lambda why: show_reply(parts.feed.ask_desk(RollBack((why or "").strip())),
                                      "The version before drives"), inputs=reason, **QUIET)
    return which


def request_of(method: str, minutes: float, folders: str) -> StartTraining:
    """What is asked of the desk."""
    stores = tuple(line.strip() for line in (folders or "").splitlines() if line.strip())
    return StartTraining(method=method, minutes=float(minutes or 0), stores=stores)


def promotion_of(chosen: str, scenes: float, reason: str, state: DeskState | None) -> Promote:
    """What is asked of the desk of a version that was chosen: "number run"."""
    number, _, run = chosen.partition(" ")
    return Promote(version=int(number), run=run, scenes=int(scenes or 0),
                   overrule=reason_for(state, run, int(number), reason or ""))
