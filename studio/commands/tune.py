"""`tandem tune start`, `status`, `stop`: learning from corrections at the running desk.

Asks the desk as its consoles do, so a training that was begun here is seen, and can be ended,
there, and the other way round. Knows options and words; the trainer is the desk's.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.commands.output import Answer, Screen
from studio.commands.running_desk import asked, at_desk, state_of

if TYPE_CHECKING:
    from studio.station.desk.link import DeskState

_NO_DESK = ("`tandem` opens one with a window, `tandem desk --policy RUN` one without; "
            "`tandem train --from RUN` trains on without a desk")
_STOP_S = 300.0             # one step, one measure, one file


@dataclass(frozen=True, kw_only=True)
class StartTuning:
    """Train the policy at the running desk on from the version that drives, while one goes on.

    It learns from the desk's store as that grows, and from the demonstrations that the policy was
    trained from, if they lie beside it; it publishes versions, and `tandem promote` lets one drive.
    """

    method: str = "hg-dagger"
    """How corrections weigh: hg-dagger, iwr, hindsight, sirius, rac, yay, or all alike;
    docs/tandem.md says what each learns from."""
    minutes: float = 3.0
    """How long, all resumed parts together."""
    stores: tuple[Path, ...] = ()
    """Folders of further stores, as of demonstrations that lie elsewhere."""
    publish_every_s: float = 30.0
    """How often a version is published."""
    memory_mb: int = 0
    """How much memory the trainer may take beyond what it begins with; 0: no limit."""
    resume: bool = False
    """Go on with the training that ended before its time, as it was begun, and begin no other."""
    wait: bool = False
    """Stay until it has ended; after Ctrl-C the desk trains on without this command."""
    json: bool = False
    """Print one JSON object instead of a line."""

    def run(self, screen: Screen) -> Answer:
        """Ask for it; stay if that is wanted."""
        from studio.station.training.training_link import StartTraining

        request = StartTraining(
            method=self.method, minutes=self.minutes, publish_every_s=self.publish_every_s,
            stores=tuple(str(store.expanduser().absolute()) for store in self.stores),
            memory_mb=self.memory_mb, resume=self.resume)
        with at_desk(_NO_DESK) as client:
            reply = asked(client, request)
            if reply.reason:
                screen.say(reply.reason)
            if not self.wait:
                screen.print(f"it trains into {reply.value}; `tandem tune status` says how it goes")
                return Answer({"run": reply.value})
            with screen.progress("training, %", 100) as progress:
                def show(now: "DeskState") -> None:
                    progress.count(round(100 * now.training.trainer.share), 100)
                    progress.now(_line(now))

                try:
                    # As long as it takes: how long a resumed one has left, only the desk knows.
                    state = state_of(client, lambda now: not now.training.running, math.inf, show)
                except KeyboardInterrupt:
                    screen.say("the desk trains on; `tandem tune stop` ends it")
                    raise
        return _told(screen, state)


@dataclass(frozen=True, kw_only=True)
class TuningStatus:
    """Say how the training at the running desk goes, what it published, and what drives.

    Exit code 1 if the last training ended before its time because something failed.
    """

    json: bool = False
    """Print one JSON object, curves included, instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Ask, and print it."""
        with at_desk(_NO_DESK) as client:
            return _told(screen, state_of(client))


@dataclass(frozen=True, kw_only=True)
class StopTuning:
    """End the training at the running desk after its step; what it has learned is published."""

    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Ask for it, and stay until it has ended."""
        from studio.station.training.training_link import StopTraining

        with at_desk(_NO_DESK) as client:
            asked(client, StopTraining())
            screen.say("it ends after its step …")
            return _told(screen, state_of(client, lambda now: not now.training.running, _STOP_S))


def _told(screen: Screen, state: "DeskState") -> Answer:
    """What there is to say, as a table or for a script."""
    import msgspec

    from studio.views.training_words import training_words, version_rows

    said, known = training_words(state), state.versions
    rows = version_rows(state)
    waiting = [row.number for row in rows if row.standing == "Candidate" and not row.drives
               and (row.run, row.number) != (known.before_run, known.before)]
    remark = "; `tandem promote VERSION` lets one drive" if waiting else "none"
    screen.table("", ("", ""), [
        ("Training", ": ".join(filter(None, (said.word, said.detail)))),
        *said.facts,
        ("Run", state.training.trainer.run or "–"),
        ("Drives", f"version {known.driving} of {known.driving_run}" if known.driving_run
         else "no policy"),
        ("Candidates", ", ".join(map(str, waiting)) + remark),
        ("Before it", f"version {known.before}; `tandem rollback` brings it back"
         if known.before else "none"),
        ("Decided last", known.doing or known.decision or "nothing")])
    return Answer({
        "training": msgspec.to_builtins(state.training), "policy": state.policy.folder,
        "driving": known.driving, "driving_run": known.driving_run, "before": known.before,
        "before_run": known.before_run, "candidates": waiting, "doing": known.doing,
        "decision": known.decision}, ok=not state.training.problem)


def _line(state: "DeskState") -> str:
    trainer = state.training.trainer
    return trainer.problem or trainer.doing or (
        f"step {trainer.step}, {trainer.published} versions")
