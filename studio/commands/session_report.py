"""What a session looks like to the person who started it: one line per episode, then a table.

Shared by `record`, `teleop` and `demo`. Knows outcomes, summaries and the screen. Refuses to know
how a session is run.
"""

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorders.episode import EpisodeSummary
from recorders.store import DemoStore
from studio.commands.output import Progress, Screen, UsersMistakeError, readable_bytes
from studio.sim.tasks import TASKS
from studio.station.messages import Mode, PolicyHealth, Snapshot
from studio.station.robots import (
    SCRIPTS,
    is_simulated,
    operator_names,
    require_robot,
    script_for,
    tasks_of,
)

if TYPE_CHECKING:
    from studio.station.session import Outcome


def require_session(*, robot: str, teleop: str, task: str, fast: bool, episodes: int,
                    robot_options: Mapping[str, Any] | None = None) -> str:
    """Refuse what cannot be run, before anything is started.

    Returns:
        The task: the robot's first one if none was named.

    Raises:
        UsersMistakeError: naming what is valid.
        DeviceError: for a robot that is unknown or not installed.
    """
    require_robot(robot, robot_options)
    tasks = tasks_of(robot)
    if task and task not in tasks:
        raise UsersMistakeError(f"unknown task {task!r}: valid are {', '.join(tasks)}")
    if teleop not in operator_names() and not teleop.startswith("leader:"):
        raise UsersMistakeError(f"unknown teleop {teleop!r}: valid are "
                                f"{', '.join(operator_names())}")
    script = script_for(robot)
    if not is_simulated(robot) and (fast or teleop in SCRIPTS):
        raise UsersMistakeError(f"{robot} is a real robot: no script knows its scene, and time "
                                "cannot run faster; choose a device with --teleop")
    if teleop in SCRIPTS and teleop != script:
        raise UsersMistakeError(f"--teleop {teleop} does not know what to do with --robot {robot}: "
                                f"use --teleop {script}")
    if fast and teleop not in SCRIPTS:
        raise UsersMistakeError(f"--fast lets time run faster than a hand: it needs --teleop "
                                f"{script}, not {teleop}")
    if episodes < 1:
        raise UsersMistakeError(f"at least one episode is needed, not {episodes}")
    return task or next(iter(tasks))


def longest_s(tasks: Iterable[str], robot: str = "sim") -> float:
    """The longest time that any of a robot's tasks may take."""
    known = tasks_of(robot)
    return max(known[task].max_duration_s for task in tasks)


class Narrator:
    """Tells what a running session does, and keeps the outcomes in a list of its owner."""

    def __init__(self, progress: Progress, outcomes: "list[Outcome]") -> None:
        self._progress, self._outcomes = progress, outcomes
        self._heard = ("", "")      # the episode, and the policy's sub-task in it

    def on_outcome(self, outcome: "Outcome") -> None:
        """An episode is over."""
        self._outcomes.append(outcome)
        verdict = outcome.detector or "no verdict"
        because = f" ({outcome.why})" if outcome.why else ""
        self._progress.step(f"{outcome.task}, seed {outcome.seed}: {verdict} after "
                            f"{outcome.duration_s:.1f} s{because}")

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """The state of the station, some times a second."""
        self._progress.now(status_line(snapshot))

    def news(self, snapshot: Snapshot) -> str:
        """A line when System 2 says something else than before; empty otherwise.

        For whoever sees no bar: how long the episode lasts, the phrase, its age and the rates.
        """
        policy = snapshot.policy
        if policy is None or not policy.alive or not snapshot.episode:
            return ""
        said = policy.subtask if policy.understood else "not understood"
        if not said or (snapshot.episode, said) == self._heard:
            return ""
        self._heard = (snapshot.episode, said)
        return f"{snapshot.episode_s:4.1f} s: {policy_line(policy)}"


def status_line(snapshot: Snapshot) -> str:
    """The station in one line: what must be done comes first."""
    x, y, z = (1000 * value for value in (*snapshot.tool_pose[:3], 0.0, 0.0, 0.0)[:3])
    parts = [snapshot.mode.name]
    if snapshot.mode in (Mode.STOP, Mode.FAULT, Mode.HOLD) and snapshot.reason:
        parts.append(snapshot.reason)
    parts += [problem for problem in snapshot.problems if problem not in parts]
    parts += [f"{snapshot.episode_s:.1f} s" if snapshot.episode else "",
              snapshot.instruction,
              policy_line(snapshot.policy) if snapshot.policy else "",
              phase_name(snapshot.task, snapshot.phase),
              f"tool {x:.0f} {y:.0f} {z:.0f} mm",
              f"{snapshot.control_hz:.0f} Hz, late p99 {snapshot.lateness_p99_ms:.1f} ms"]
    return " · ".join(part for part in parts if part)


def policy_line(policy: PolicyHealth) -> str:
    """What a policy is up to, in a few words."""
    if not policy.alive:
        return "the policy is silent"
    said = f"“{policy.subtask}”" if policy.understood else "not understood"
    age = "" if math.isnan(policy.latent_age_ms) else f" {policy.latent_age_ms:.0f} ms ago"
    return (f"System 2 {policy.system2_hz:.1f} Hz: {said}{age} · System 1 "
            f"{policy.system1_hz:.1f} Hz")


def phase_name(task: str, phase: str) -> str:
    """The name of a phase that the simulator gives as a number."""
    if task in TASKS and phase.isdecimal() and int(phase) < len(TASKS[task].phases):
        return TASKS[task].phases[int(phase)]
    return "" if phase.isdecimal() else phase


def make_store(screen: Screen, store_path: Path) -> None:
    """Make the store, or see that an existing one may be written, before anything is started.

    Raises:
        StoreError: it is locked, protected, or of an unknown format.
    """
    with DemoStore.open(store_path, write=True, create=True) as store:
        interrupted = store.interrupted()
    if interrupted:
        screen.say(f"{len(interrupted)} interrupted episodes wait in {store_path}: "
                   f"`tandem data recover {store_path}` keeps them")


@contextmanager
def store_to_fill(screen: Screen, store_path: Path) -> Iterator[None]:
    """A store for a session; one that was made for a session that could not start goes again.

    Raises:
        StoreError: see `make_store`.
    """
    there = store_path.exists()
    make_store(screen, store_path)
    try:
        yield
    except Exception:
        with DemoStore.open(store_path) as store:
            untouched = not (there or store.episodes() or store.interrupted())
        if untouched:
            shutil.rmtree(store_path, ignore_errors=True)
        raise


def kept_episodes(store_path: Path, outcomes: "Sequence[Outcome]") -> list[EpisodeSummary]:
    """What the store says about the episodes of a session, in their order."""
    with DemoStore.open(store_path) as store:
        by_id = {summary.episode: summary for summary in store.episodes()}
    return [by_id[o.episode] for o in outcomes if o.episode in by_id]


def print_kept(screen: Screen, episodes: Sequence[EpisodeSummary]) -> None:
    """A table of what was recorded."""
    screen.table("", ("episode", "task", "seed", "label", "duration", "steps", "dropped", "size"),
                 [(e.episode, e.task, e.seed, e.label, f"{e.duration_s:.1f} s", e.steps,
                   e.dropped, readable_bytes(e.bytes)) for e in episodes])


def count_labels(episodes: Sequence[EpisodeSummary]) -> dict[str, Any]:
    """How many episodes ended how."""
    labels = [episode.label for episode in episodes]
    return {label: labels.count(label) for label in dict.fromkeys(labels)}
