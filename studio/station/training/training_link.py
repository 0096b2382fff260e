"""What is said about training a policy while it drives: between desk, trainer, gate and consoles.

Versions are named by run and number (policy/versions/ledger.py). Knows the messages; refuses to
know who trains and who draws.
"""

import msgspec

from policy.versions.gate import GateBounds
from policy.versions.ledger import Version

TRAINING = "training"       # topic of TrainerState on the link `training`
LEARNED, HELD_OUT = "learned/", "held out/"     # what a curve's name begins with
CURVE_POINTS = 120          # of a curve that is drawn; longer ones are thinned


class StartTraining(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """Train on from the version that drives, into a run of its own beside it, while one goes on.

    Learned from is the desk's store, as it grows, and what the driving run was trained from.
    """

    method: str = "hg-dagger"
    """How corrections weigh: a name of policy/data/correction_weights.py."""
    minutes: float = 3.0
    """How long, all resumed parts together."""
    stores: tuple[str, ...] = ()
    """Folders of further stores: as a rule, the demonstrations that the policy was trained from."""
    publish_every_s: float = 30.0
    """How often a version is published."""
    memory_mb: int = 0
    """How much memory the trainer may take beyond what it begins with; 0: no limit."""
    resume: bool = False
    """Go on with the training that ended before its time, instead of beginning another."""


class StopTraining(msgspec.Struct, tag=True, frozen=True):
    """End the training after the step that is being made; what was learned is published."""


class Promote(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """Let a version drive from the next call on, if it passes the gate.

    Answered at once; what became of it is in `VersionsState.decision`.
    """

    version: int
    run: str = ""
    """Its run's folder; empty: the newest run that has the version."""
    overrule: str = ""
    """A person's reason to let it drive although it seems worse; a damaged version, or another
    robot's, never does."""
    bounds: GateBounds = GateBounds()
    scenes: int = 0
    """Try both versions in so many simulated scenes first; it takes minutes."""
    first_seed: int = 5000
    """Of those scenes."""


class RollBack(msgspec.Struct, tag=True, frozen=True):
    """Let the version before drive again, from the next call on."""

    reason: str = ""


TrainingRequest = StartTraining | StopTraining | Promote | RollBack


class DrawnCurve(msgspec.Struct, frozen=True):
    """A quantity over a training: minutes and values, of equal length."""

    name: str
    minutes: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


class TrainerState(msgspec.Struct, frozen=True, kw_only=True):
    """What the trainer says some times a second.

    Attributes:
        run: folder that it trains into.
        doing: in words, such as "reading the demonstrations"; empty while it learns.
        method: how corrections weigh.
        step, minutes, share, left_s: so many steps, minutes, share 0..1 of the budget, seconds to
            go.
        samples_per_s: rows that System 1 learned from.
        losses: the newest.
        held_out: the newest measures, the most telling one first.
        curves: what was learned and measured so far.
        episodes: learned from; `corrected` of them with corrections of `operator_s` seconds.
        grown: episodes that came or changed since it began.
        published: versions so far.
        problem: what a person should see to; training goes on.
    """

    run: str = ""
    doing: str = ""
    method: str = ""
    step: int = 0
    minutes: float = 0.0
    share: float = 0.0
    left_s: float = 0.0
    samples_per_s: float = 0.0
    losses: dict[str, float] = {}
    held_out: dict[str, float] = {}
    curves: tuple[DrawnCurve, ...] = ()
    episodes: int = 0
    corrected: int = 0
    operator_s: float = 0.0
    grown: int = 0
    published: int = 0
    problem: str = ""


class TrainingState(msgspec.Struct, frozen=True, kw_only=True):
    """The desk's training, for a panel; `DeskState.training`.

    Attributes:
        running: a trainer is at work.
        trainer: how it is doing; of the last one, when none is at work.
        resumable: the last training ended before its time: `StartTraining(resume=True)` goes on.
        problem: why the last training ended; empty if it ended well.
    """

    running: bool = False
    trainer: TrainerState = TrainerState()
    resumable: bool = False
    problem: str = ""


class VersionsState(msgspec.Struct, frozen=True, kw_only=True):
    """The versions that may drive at this desk; `DeskState.versions`.

    Attributes:
        versions: of the run that drives and of its family, oldest first.
        driving_run, driving: the version that drives; empty and 0 without a policy.
        before_run, before: the version that `RollBack` brings back; empty and 0 if none.
        doing: what happens to a version now, such as "version 1710 is being measured".
        decision: the last one, in one line.
        refused: whether the last decision was a refusal.
        refused_run, refused_version: which version it refused; empty and 0 if none.
        decisions: so many were made since the desk began.
        swap_ms: what the last change of versions took, from the request to the policy's answer.
    """

    versions: tuple[Version, ...] = ()
    driving_run: str = ""
    driving: int = 0
    before_run: str = ""
    before: int = 0
    doing: str = ""
    decision: str = ""
    refused: bool = False
    refused_run: str = ""
    refused_version: int = 0
    decisions: int = 0
    swap_ms: float = 0.0
