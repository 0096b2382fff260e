"""`tandem data check`: is a store sound, and does every rollout keep the rules?

Two questions, one command: whether every byte is as it was written (`recorders.store_check`), and
whether what was written can be (`studio.station.recording.rollout_rules`). Knows neither answer
itself.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recorders.array_layout import DamagedRecording
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.commands.data import Episode, Store
from studio.commands.output import Answer, Screen

if TYPE_CHECKING:
    from studio.station.recording.rollout_rules import Checked


@dataclass(frozen=True, kw_only=True)
class CheckStore:
    """Verify a store: every checksum, and in every rollout who drove, what they followed, and how.

    Exit code 1 if something is damaged or breaks a rule; what is not named can be read, and is as
    it must be.
    """

    store: Store
    """Folder of the store."""
    episode: Episode = ""
    """One episode only: its id, the beginning of it, or its number in the list."""
    quick: bool = False
    """Only the log and the metadata, without reading pictures and columns."""
    json: bool = False
    """Print one JSON object instead of tables."""

    def run(self, screen: Screen) -> Answer:
        """Print what is wrong."""
        with DemoStore.open(self.store) as store:
            wanted = ([store.episode(self.episode)] if self.episode
                      else store.episodes(include_trashed=True))
            with screen.progress("checking", max(1, len(wanted))) as progress:
                problems = store.check(deep=not self.quick, progress=progress.count,
                                       only=wanted[0].episode if self.episode else "")
            damaged = {problem.episode for problem in problems}
            checked = {} if self.quick else {
                one.episode: look(store, one.episode) for one in wanted
                if one.episode not in damaged and not one.trashed}
        if problems:
            screen.table("", ("episode", "where", "what", "what to do"),
                         [(p.episode, p.path, p.what, p.remedy) for p in problems])
        findings = [(episode, one) for episode, found in checked.items() for one in found.findings]
        for episode, one in findings:
            screen.print(f"{episode}, {f'tick {one.tick}' if one.tick >= 0 else 'no tick'}: "
                         f"{one.rule}: {one.what}")
        if not problems and not findings:
            screen.print(f"{len(wanted)} episodes, no problem found{_unchecked(checked)}")
        return Answer({"store": str(self.store), "episodes": len(wanted), "problems": [
            {"episode": p.episode, "path": str(p.path), "what": p.what, "remedy": p.remedy}
            for p in problems], "findings": [
            {"episode": episode, "tick": one.tick, "rule": one.rule, "what": one.what}
            for episode, one in findings], "unchecked": {
            episode: list(found.unchecked) for episode, found in checked.items()}},
            ok=not problems and not findings)


def look(store: DemoStore, episode: str) -> "Checked":
    """What breaks a rule in an episode; one that cannot be read breaks the first."""
    from studio.station.recording.rollout_rules import Checked, Finding, check_rollout

    try:
        return check_rollout(EpisodeReader(store.episode_path(episode)))
    except (DamagedRecording, KeyError) as error:
        return Checked((Finding(-1, "it can be read", str(error)),), ())


def _unchecked(checked: "dict[str, Any]") -> str:
    """What older recordings do not say, in words."""
    rules = {rule for found in checked.values() for rule in found.unchecked}
    episodes = sum(bool(found.unchecked) for found in checked.values())
    return (f"; {episodes} of them say too little for {len(rules)} of the rules (--json names them)"
            if rules else "")
