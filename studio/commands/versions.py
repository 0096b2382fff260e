"""`tandem versions`, `promote` and `rollback`: which weights a policy has, and which of them drive.

Lists what lies on the disk by itself; asks the running desk to change what drives. Knows options
and words; the gate and the swap are the desk's.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from studio.commands.output import Answer, Screen, UsersMistakeError
from studio.commands.running_desk import asked, at_desk, state_of

if TYPE_CHECKING:
    from policy.versions.ledger import Version
    from studio.station.training.training_link import Promote, RollBack

_PATIENCE_S = 1800.0        # simulated scenes take minutes
_NO_DESK = "`tandem` opens one, and `tandem rollout --policy` drives with any version"


@dataclass(frozen=True, kw_only=True)
class Versions:
    """List the versions of a policy: of a run, and of those that it began from or that began from
    it.

    The figures are those of the gate, beside the version that drove when they were measured.
    """

    run_folder: Annotated[Path | None, tyro.conf.Positional] = None
    """Folder of a run; without one, of the policy at the running desk."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Print them, oldest first."""
        import msgspec

        from policy.versions.ledger import family_of

        drives = 0, ""
        if self.run_folder is None:
            with at_desk(_NO_DESK) as client:
                state = state_of(client).versions
            if not state.driving_run:
                raise UsersMistakeError("no policy is at the desk: choose one there, or name a run")
            versions, drives = list(state.versions), (state.driving, state.driving_run)
        else:
            versions = family_of(self.run_folder)
        screen.table("", ("version", "run", "written", "from", "method", "minutes", "episodes",
                          "corrections", "held out", "position", "gripper", "state"),
                     [_row(one, drives=drives == (one.number, one.run)) for one in versions])
        return Answer({"versions": msgspec.to_builtins(versions), "driving": drives[0],
                       "driving_run": drives[1]})


@dataclass(frozen=True, kw_only=True)
class PromoteVersion:
    """Let a version drive at the running desk, if it passes the gate; exit code 1 if it does not.
    """

    version: Annotated[int, tyro.conf.Positional]
    """Its number; `tandem versions` lists them."""
    run_folder: Annotated[Path | None, tyro.conf.arg(name="run")] = None
    """Folder of its run, where several have that number."""
    overrule: str = ""
    """Why it shall drive although it seems worse; a damaged or another robot's version never
    does."""
    scenes: int = 0
    """Try both versions in so many simulated scenes first."""
    first_seed: int = 5000
    """Of those scenes."""
    json: bool = False
    """Print one JSON object instead of a line."""

    def run(self, screen: Screen) -> Answer:
        """Ask for it, and say what was decided."""
        from studio.station.training.training_link import Promote

        return _decided(screen, Promote(
            version=self.version, run=str(self.run_folder.absolute()) if self.run_folder else "",
            overrule=self.overrule, scenes=self.scenes, first_seed=self.first_seed))


@dataclass(frozen=True, kw_only=True)
class RollBackVersion:
    """Let the version before the last promotion drive again at the running desk."""

    reason: str = ""
    """Kept beside the version that is left."""
    json: bool = False
    """Print one JSON object instead of a line."""

    def run(self, screen: Screen) -> Answer:
        """Ask for it, and say what was decided."""
        from studio.station.training.training_link import RollBack

        return _decided(screen, RollBack(reason=self.reason))


def _decided(screen: Screen, request: "Promote | RollBack") -> Answer:
    with at_desk(_NO_DESK) as client:
        before = state_of(client).versions.decisions
        asked(client, request)
        state = state_of(client, lambda now: now.versions.decisions > before, _PATIENCE_S).versions
    screen.print(state.decision)
    return Answer({"decision": state.decision, "refused": state.refused, "driving": state.driving,
                   "driving_run": state.driving_run, "swap_ms": state.swap_ms},
                  ok=not state.refused)


def _row(one: "Version", *, drives: bool) -> tuple[Any, ...]:
    figures = one.figures
    parent = f"{one.parent} {one.parent_number}" if one.parent else "nothing"
    return (one.number, Path(one.run).name,
            f"{datetime.fromtimestamp(one.wall_ns / 1e9):%Y-%m-%d %H:%M:%S}", parent, one.method,
            f"{one.minutes:.1f}", one.episodes,
            f"{one.corrected} episodes, {one.operator_s:.1f} s" if one.corrected else "–",
            _beside(figures and figures.held_out, figures and figures.held_out_before),
            "–" if figures is None or figures.position_m is None
            else f"{1000 * figures.position_m:.1f} mm",
            "–" if figures is None or figures.gripper_flips is None
            else f"{100 * figures.gripper_flips:.1f} %",
            f"{one.standing}, drives" if drives else one.standing)


def _beside(after: float | None, before: float | None) -> str:
    return "–" if after is None or before is None else f"{after:.3f} beside {before:.3f}"
