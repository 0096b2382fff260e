"""Training while one drives, and the versions that come of it, in words and figures.

From the desk's state: how the trainer is doing, what it learned from, which version drives, which
may, and what was decided of each. Knows states; refuses to know a screen, and whether a version is
good enough: the gate says so.
"""

from collections.abc import Sequence

import msgspec

from policy.versions.ledger import Version
from studio.station.desk.link import DeskState
from studio.station.training.training_link import LEARNED, DrawnCurve, VersionsState
from studio.views.words import counted, duration, sentence

METHODS: tuple[tuple[str, str], ...] = (
    ("hg-dagger", "Only what people did (HG-DAgger)"),
    ("iwr", "Corrections as much as the rest (IWR)"),
    ("hindsight", "Only what people did; the eye learns from all of it"),
    ("sirius", "By who did it, and when (Sirius)"),
    ("rac", "Recovery and correction (RaC)"),
    ("yay", "Only what people said, for System 2 (YAY)"),
    ("all", "Everything alike"))


class TrainingWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a console shows of a training.

    Attributes:
        word, icon, tone: its state.
        detail: a sentence; may be empty.
        share: of its time that is over, 0 to 1.
        facts: names and values.
        start, stop, resume: why it cannot be begun, ended, gone on with; empty if it can.
    """

    word: str
    icon: str
    tone: str
    detail: str = ""
    share: float = 0.0
    facts: tuple[tuple[str, str], ...] = ()
    start: str = ""
    stop: str = ""
    resume: str = ""


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version in a list.

    Attributes:
        run, number: which one.
        words: as it is offered.
        standing, icon, tone: what became of it.
        figures: what was measured of it.
        says: the last objection or reason; may be empty.
        drives: it drives now.
    """

    run: str
    number: int
    words: str
    standing: str
    icon: str
    tone: str
    figures: str
    says: str
    drives: bool


_STANDINGS = {"candidate": ("Candidate", "circle-dashed", "idle"),
              "promoted": ("Promoted", "badge-check", "ready"),
              "refused": ("Refused", "circle-x", "warning"),
              "rolled back": ("Rolled back", "undo-2", "offline")}


def training_words(state: DeskState | None) -> TrainingWords:
    """What there is to say of the training."""
    if state is None:
        silent = "The desk says nothing"
        return TrainingWords(word="No desk", icon="unplug", tone="offline", start=silent,
                             stop=silent, resume=silent)
    training = state.training
    refusal = "" if state.policy.folder else "No policy is there: choose a training run first"
    if training.running:
        refusal = refusal or "A training goes on: stop it first"
    return msgspec.structs.replace(
        _how_it_goes(state), start=refusal,
        stop="" if training.running else "No training goes on",
        resume=refusal or ("" if training.resumable else "There is none to go on with"))


def _how_it_goes(state: DeskState) -> TrainingWords:
    training, trainer = state.training, state.training.trainer
    share = trainer.share
    if training.running:
        return TrainingWords(word="Trains", icon="dumbbell", tone="policy", share=share,
                             detail=sentence(trainer.problem or trainer.doing),
                             facts=_facts(state))
    if training.problem:
        return TrainingWords(word="Ended early", icon="triangle-alert", tone="warning",
                             share=share, detail=sentence(training.problem), facts=_facts(state))
    if training.resumable:
        return TrainingWords(word="Stopped", icon="square", tone="idle", share=share,
                             facts=_facts(state))
    if trainer.run:
        return TrainingWords(word="Done", icon="circle-check", tone="ready", share=share,
                             facts=_facts(state))
    return TrainingWords(word="Nothing trained", icon="circle", tone="offline",
                         detail="It trains on from the version that drives, while you go on")


def _facts(state: DeskState) -> tuple[tuple[str, str], ...]:
    trainer = state.training.trainer
    facts = [("Method", trainer.method), ("Steps", f"{trainer.step:,}"),
             ("Trained", f"{trainer.minutes:.1f} min"
              + f", {duration(trainer.left_s)} to go" * (state.training.running
                                                         and trainer.left_s > 0)),
             ("Learns from", f"{counted(trainer.episodes, 'episode')}, {trainer.corrected} "
                             f"corrected in {trainer.operator_s:.0f} s"),
             *[("Grown by", counted(trainer.grown, "episode"))] * bool(trainer.grown),
             ("Published", counted(trainer.published, "version"))]
    facts += [(name.replace("_", " ").capitalize(), f"{value:.4g}")
              for name, value in trainer.held_out.items()]
    return tuple(facts)


def telling(curves: Sequence[DrawnCurve]) -> tuple[list[DrawnCurve], list[DrawnCurve]]:
    """What tells whether it gets better (the loss, and errors on held-out episodes), and the rest:
    the loss's parts.
    """
    parts = [one for one in curves if one.name.startswith(LEARNED) and one.name != f"{LEARNED}loss"]
    return [one for one in curves if one not in parts], parts


def badge_of(state: DeskState | None, said: str) -> str:
    """The version that drives, and how many may take its place: "version 120, 2 candidates"."""
    waiting = sum(1 for row in version_rows(state) if row.standing == "Candidate"
                  and not row.drives) if state is not None else 0
    return f"{said}, +{waiting}" if said and waiting else said


def version_rows(state: DeskState | None) -> tuple[VersionRow, ...]:
    """Every version, newest first."""
    if state is None:
        return ()
    known = state.versions
    return tuple(_row(version, drives=(version.run, version.number)
                      == (known.driving_run, known.driving))
                 for version in reversed(known.versions))


def _row(version: Version, *, drives: bool) -> VersionRow:
    standing, icon, tone = _STANDINGS[version.standing]
    if drives:
        standing, icon, tone = "Drives", "bot", "policy"
    figures = [f"{name} {value:.3g}" for name, value in list(version.metrics.items())[:2]]
    learned = f"{version.minutes:.1f} min, {counted(version.episodes, 'episode')}"
    return VersionRow(
        run=version.run, number=version.number, words=f"Version {version.number}",
        standing=standing, icon=icon, tone=tone, figures=", ".join([learned, *figures]),
        says=sentence(version.says or version.reason), drives=drives)


def reason_for(state: DeskState | None, run: str, number: int, reason: str) -> str:
    """The reason to overrule the gate, if it was this version that the last decision refused.

    A person has read what speaks against that one; of every other the gate decides first.
    """
    known = state.versions if state is not None else VersionsState()
    asked = bool(known.refused_run) and (run, number) == (known.refused_run, known.refused_version)
    return reason.strip() if asked else ""


def roll_back_refusal(state: DeskState | None) -> str:
    """Why no version before can be brought back; empty if one can."""
    if state is None:
        return "The desk says nothing"
    if state.versions.doing:
        return f"Wait: {state.versions.doing}"
    return "" if state.versions.before else "No other version drove before"
