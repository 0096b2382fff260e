"""The tab Rollout: a policy that drives, what is said to it, and how an attempt is judged.

Whoever lets an arm move from here says first that somebody is beside it. What the arm does is not
driven from a browser: a device takes over at the desk. Knows fields and commands.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from studio.station.commands import (
    AnswerAlert,
    Arm,
    Command,
    DiscardEpisode,
    EndEpisode,
    Pause,
    SetInstruction,
    SetSharing,
    SetSubtask,
    StartEpisode,
    StartPolicy,
)
from studio.station.desk.link import UsePolicy
from studio.station.messages import Mode, Snapshot
from studio.views.dialogue import phrases
from studio.views.lamps import AXES, TOOL_AXES
from studio.views.policy_choices import find_runs
from studio.views.robot_tasks import phrases_of
from studio.web.parts import Parts, show_reply
from studio.web.widgets import ON_CHANGE, QUIET, button, html, place

PLACES = ("runs", "out", "experiments")     # below the folder in which the desk was started
NOBODY_SEES = "say that somebody is beside the arm first"


def build(parts: Parts, _picked: gr.State) -> None:
    """Put the tab together."""
    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            run = _policy(parts)
            _attempt(parts)
            _sharing(parts)
        with gr.Column(scale=2, min_width=420):
            place("lamps", "card")
            policy = place("policy", "card", js_on_load=ON_CHANGE)
            _alert(parts)
            _words(parts)
            _subtask(parts)
            place("plan", "card")
            place("dialogue", "card")

    def chosen() -> Any:
        state = parts.feed.view.state
        folder = state.policy.folder if state is not None else ""
        return gr.update(value=folder or None, choices=_runs(folder))

    policy.changed(chosen, outputs=run, **QUIET)


def _policy(parts: Parts) -> gr.Dropdown:
    run = gr.Dropdown(_runs(), label="Policy", info="A training run, or the folder of one",
                      allow_custom_value=True, elem_id="policy-run")
    with gr.Row():
        load = button("bot", "Load", "policy-load", variant="primary")
        drop = button("x", "No policy", "policy-drop")
        again = button("refresh-cw", "Look again", "policy-again")

    def use(folder: str) -> None:
        if not (folder or "").strip():
            gr.Warning("Choose a training run, or give its folder")
            return
        show_reply(parts.feed.ask_desk(UsePolicy(folder.strip())), "The policy is being loaded")

    load.click(use, inputs=run, **QUIET)
    drop.click(lambda: show_reply(parts.feed.ask_desk(UsePolicy("")), "No policy is there now"),
               **QUIET)
    again.click(lambda: gr.update(choices=_runs()), outputs=run, **QUIET)
    return run


def _attempt(parts: Parts) -> None:
    seen = gr.Checkbox(label="Somebody is beside the arm and can stop it", elem_id="arm-seen")
    keep = gr.Checkbox(label="Record it", value=True, elem_id="rollout-keep")
    with gr.Row():
        start = button("play", "Let the policy drive", "rollout-start", variant="primary")
        hold = button("pause", "Hold", "rollout-hold")
    with gr.Row():
        for sign, words, label in (("circle-check", "Success", "success"),
                                   ("circle-x", "Failure", "failure"),
                                   ("circle-minus", "Partial", "partial")):
            button(sign, words, f"rollout-{label}", min_width=80).click(
                lambda label=label: _ask_all(parts, (EndEpisode(label), Pause()), "Ended"), **QUIET)
        button("trash-2", "Discard", "rollout-discard", min_width=80).click(
            lambda: _ask_all(parts, (DiscardEpisode(), Pause()), "Discarded"), **QUIET)

    def begin(somebody: bool, kept: bool) -> None:
        snapshot = parts.feed.view.snapshot
        if snapshot is None:
            gr.Warning("The station says nothing yet")
        elif snapshot.mode in (Mode.STOP, Mode.FAULT):
            gr.Warning("Refused: the arm is stopped; re-arm it at the desk")
        elif not somebody:
            gr.Warning(f"Refused: {NOBODY_SEES}")
        else:
            _ask_all(parts, start_of(snapshot, practice=not kept), "The policy drives")

    start.click(begin, inputs=[seen, keep], **QUIET)
    hold.click(lambda: show_reply(parts.feed.ask(Pause()), "The arm holds"), **QUIET)


def _alert(parts: Parts) -> None:
    place("alert", "card")

    def fine() -> None:
        snapshot = parts.feed.view.snapshot
        if snapshot is None or snapshot.alert is None:
            gr.Info("No alert stands", duration=4)
            return
        show_reply(parts.feed.ask(AnswerAlert(snapshot.alert.number)),
                   "This signal asks no more in this scene")

    button("check", "It is fine", "alert-fine").click(fine, **QUIET)


def _words(parts: Parts) -> None:
    words = gr.Dropdown([], label="Say something else", allow_custom_value=True,
                        info="Type, or choose what was said before", elem_id="rollout-words")
    with gr.Row():
        now = button("message-square", "Now", "words-now", variant="primary")
        soon = button("clock", "When it is ready", "words-soon")
        doing = button("circle-question-mark", "What are you doing?", "words-ask")

    def say(text: str, flush: bool) -> Any:
        if not (text or "").strip():
            gr.Warning("Say what to do")
            return gr.update()
        show_reply(parts.feed.ask(SetInstruction(text.strip(), flush)),
                   "Said" if flush else "It goes on until it has read that")
        return gr.update(choices=list(_said(parts)))

    now.click(lambda text: say(text, True), inputs=words, outputs=words, **QUIET)
    soon.click(lambda text: say(text, False), inputs=words, outputs=words, **QUIET)
    doing.click(parts.feed.ask_doing, **QUIET)
    words.focus(lambda: gr.update(choices=list(_said(parts))), outputs=words, **QUIET)


def _subtask(parts: Parts) -> None:
    words = gr.Dropdown([], label="Say what is to be done now", allow_custom_value=True,
                        info="In System 2's place, in words that it knows; for a step that it "
                             "gets wrong", elem_id="rollout-subtask")
    with gr.Row():
        do = button("brain", "Do this now", "subtask-say")
        leave = button("undo-2", "System 2 says it again", "subtask-leave")

    def known() -> Any:
        snapshot = parts.feed.view.snapshot
        policy = snapshot.policy if snapshot is not None else None
        return gr.update(choices=list(policy.subtasks) if policy is not None else [])

    def say(text: str) -> None:
        if not (text or "").strip():
            gr.Warning("Say what is to be done now")
            return
        show_reply(parts.feed.ask(SetSubtask(text.strip())), "It does that from now on")

    do.click(say, inputs=words, **QUIET)
    leave.click(lambda: show_reply(parts.feed.ask(SetSubtask("")), "System 2 says it again"),
                **QUIET)
    words.focus(known, outputs=words, **QUIET)


def _sharing(parts: Parts) -> None:
    axes = list(AXES[:TOOL_AXES])
    with gr.Accordion("What the person gets who steps in…", open=False):
        yours = gr.CheckboxGroup(axes, value=axes, label="The person's alone", elem_id="axes-yours")
        both = gr.CheckboxGroup(axes, label="Both drive", elem_id="axes-both")
        blend = gr.Slider(0.05, 0.95, 0.5, step=0.05, label="The person's share of those")
        back = gr.Checkbox(label="Letting go hands the arm back", value=True)
        use = button("sliders-horizontal", "Share it so", "share")
        html('<div class="hint">Other axes stay the policy\'s. Holds from the next time on that '
             "somebody steps in</div>")

    def share(*given: Any) -> None:
        show_reply(parts.feed.ask(sharing_of(*given)), "Shared so from the next time on")

    use.click(share, inputs=[yours, both, blend, back], **QUIET)


def sharing_of(yours: list[str], both: list[str], blend: float, hand_back: bool) -> SetSharing:
    """What is asked of the station; an axis in both lists is both drivers'."""
    return SetSharing(tuple(blend if axis in both else 1.0 if axis in yours else 0.0
                            for axis in AXES[:TOOL_AXES]), hand_back)


def start_of(snapshot: Snapshot, *, practice: bool) -> tuple[Command, ...]:
    """What lets the policy drive from where the station is."""
    armed = () if snapshot.mode not in (Mode.IDLE, Mode.HOLD) else (Arm(),)
    begun = () if snapshot.episode else (StartEpisode(
        snapshot.task, practice=practice, seed=snapshot.seed, operator="policy"),)
    return (*armed, *begun, StartPolicy())


def _ask_all(parts: Parts, commands: tuple[Command, ...], done: str) -> None:
    """One after the other, up to the first refusal."""
    for command in commands:
        reply = parts.feed.ask(command)
        if not reply.accepted:
            show_reply(reply, done)
            return
    gr.Info(done, duration=4)


def _runs(chosen: str = "") -> list[tuple[str, str]]:
    """Words and folder of every run that was found, the chosen one first."""
    found = find_runs([Path(place) for place in PLACES], [chosen] if chosen else ())
    return [(run.words, run.folder) for run in found]


def _said(parts: Parts) -> tuple[str, ...]:
    """What was said in this sitting, in the store's episodes, and of the task."""
    view = parts.feed.view
    stored = [row.instruction for row in reversed(parts.library().shelf().rows)]
    task = view.snapshot.task if view.snapshot is not None else ""
    robot = view.state.robot if view.state is not None else "sim"
    return phrases(view.dialogue, (), stored, phrases_of(robot, task))
