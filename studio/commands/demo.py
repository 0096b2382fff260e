"""`tandem demo`: the main job, unattended, on the simulated arm.

The scripted operator records every basic task, the store is checked, one episode of each task is
played again from its recorded initial state, and a table and a Rerun file are left behind. Every
number in the table is read back from the store or from the repetition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorders.clock import NS_PER_S, SystemClock
from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.commands.bounds import require_at_least_one, require_image_size, require_seed
from studio.commands.output import Answer, Screen, readable_bytes
from studio.commands.replay import describe_replay
from studio.commands.session_report import kept_episodes, longest_s, make_store
from studio.commands.session_run import run_and_tell

if TYPE_CHECKING:
    from studio.sim.replay import Replayed

COLUMNS = ("task", "recorded", "succeeded", "mean length", "dropped", "size", "replayed as",
           "objects off by", "joints off by")
# The basic ones: the others vary how the cube is named, and in what order things are done.
_TASKS = ("put-cube-in-bin", "stack-cubes", "push-button", "open-drawer", "press-force",
          "bin-then-button")
# The longest of them, two steps: the most to see.
_SHOWN_TASK = "bin-then-button"


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Record every basic task with the scripted operator, check the store, and replay.

    Exit code 1 unless every episode was recorded, the store is sound, and every repetition ended
    as its recording did.
    """

    episodes: int = 2
    """How many episodes of each task."""
    to: Path = Path("out/demo")
    """Folder in which a new folder is made for this run."""
    seed: int = 0
    """Episode i is set up with seed + i."""
    image_size: tuple[int, int] = (240, 320)
    """Height and width of the simulated cameras' pictures."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Run the demonstration; it takes about a minute."""
        require_at_least_one([("--episodes", self.episodes)])
        require_seed(self.seed)
        require_image_size(self.image_size)
        clock = SystemClock()
        begun_ns = clock.now_ns()
        folder = _new_folder(self.to, clock.wall_ns())
        store_path = folder / "store"
        recorded, problem = self._record(screen, store_path)
        damage, groups = _check(screen, store_path, recorded)
        replayed = _replay(screen, groups)
        rrd_path = _write_rrd(screen, folder, groups)
        rows = table_rows(recorded, replayed)
        screen.table("", COLUMNS, rows)
        table_path = folder / "table.md"
        took_s = (clock.now_ns() - begun_ns) / NS_PER_S
        table_path.write_text(markdown(rows) + f"\n{len(recorded)} episodes in {took_s:.0f} s, "
                              f"{len(damage)} problems in the store. Printed by `tandem demo`.\n")
        complete = len(recorded) == self.episodes * len(_TASKS)
        well = complete and not problem and not damage and all(r.same for r in replayed)
        _say_where(screen, store_path, table_path, rrd_path, took_s,
                   problem or "; ".join(damage) if not well else "")
        return Answer({"folder": str(folder), "store": str(store_path), "table": str(table_path),
                       "rrd": str(rrd_path or ""), "took_s": took_s, "problem": problem,
                       "damage": damage, "tasks": describe_tasks(recorded, replayed)}, ok=well)

    def _record(self, screen: Screen, store_path: Path) -> tuple[list[EpisodeSummary], str]:
        # Here, because the station brings MuJoCo: --help and a mistyped option need not wait.
        from studio.station.launch import SessionRequest
        from studio.station.session import Outcome, SessionPlan

        tasks = tuple(task for task in _TASKS for _ in range(self.episodes))
        request = SessionRequest(
            plan=SessionPlan(tasks=tasks, seed=self.seed, max_duration_s=longest_s(_TASKS)),
            store=str(store_path), fast=True, image_size=self.image_size)
        make_store(screen, store_path)
        outcomes: list[Outcome] = []
        problem = run_and_tell(screen, request, "recording", outcomes)
        return kept_episodes(store_path, outcomes), problem


def _new_folder(parent: Path, wall_ns: int) -> Path:
    name = datetime.fromtimestamp(wall_ns / NS_PER_S, UTC).strftime("%Y%m%dT%H%M%S")
    folder = next(path for n in range(1000)
                  if not (path := parent / (f"{name}-{n}" if n else name)).exists())
    folder.mkdir(parents=True)
    return folder


def _check(screen: Screen, store_path: Path,
           recorded: Sequence[EpisodeSummary]) -> tuple[list[str], dict[str, Path]]:
    """What is wrong in the store, and the first recorded episode's group of every task."""
    with (DemoStore.open(store_path) as store,
          screen.progress("checking", max(1, len(recorded))) as progress):
        problems = store.check(deep=True, progress=progress.count)
        groups = {e.task: store.episode_path(e.episode) for e in reversed(recorded)}
    return [f"{p.episode}: {p.what}" for p in problems], groups


def _replay(screen: Screen, groups: dict[str, Path]) -> list["Replayed"]:
    from studio.sim.replay import replay_in_simulator

    replayed = []
    with screen.progress("replaying", len(groups)) as progress:
        for task in (task for task in _TASKS if task in groups):
            replayed.append(replay_in_simulator(EpisodeReader(groups[task])))
            progress.step(f"{task}: recorded {replayed[-1].recorded}, "
                          f"replayed {replayed[-1].replayed}")
    return replayed


def _write_rrd(screen: Screen, folder: Path, groups: dict[str, Path]) -> Path | None:
    if not groups:
        return None
    from recorders.rerun_file import write_rrd

    task = _SHOWN_TASK if _SHOWN_TASK in groups else next(iter(groups))
    path = folder / f"{task}.rrd"
    with screen.progress("writing the Rerun file", 1) as progress:
        write_rrd(groups[task], path, folder / "store" / "models")
        progress.step(f"{path.name}, {readable_bytes(path.stat().st_size)}")
    return path


def table_rows(recorded: Sequence[EpisodeSummary],
               replayed: Sequence["Replayed"]) -> list[tuple[object, ...]]:
    """One row of `COLUMNS` for each task that was recorded."""
    again = {replay.task: replay for replay in replayed}
    rows: list[tuple[object, ...]] = []
    for task in dict.fromkeys(episode.task for episode in recorded):
        mine, replay = [e for e in recorded if e.task == task], again.get(task)
        rows.append((
            task, len(mine), sum(e.label == "success" for e in mine),
            f"{sum(e.duration_s for e in mine) / len(mine):.1f} s",
            sum(e.dropped for e in mine), readable_bytes(sum(e.bytes for e in mine)),
            *(("", "", "") if replay is None else
              (f"{replay.replayed}{'' if replay.same else ' (recorded ' + replay.recorded + ')'}",
               f"{1000 * replay.max_object_error_m:.3g} mm",
               f"{replay.max_joint_error_rad:.3g} rad"))))
    return rows


def describe_tasks(recorded: Sequence[EpisodeSummary],
                   replayed: Sequence["Replayed"]) -> list[dict[str, Any]]:
    """The table's rows for `--json`."""
    again = {replay.task: describe_replay(replay) for replay in replayed}
    return [{"task": task, "replay": again.get(task),
             "episodes": [{"episode": e.episode, "seed": e.seed, "label": e.label,
                           "duration_s": e.duration_s, "steps": e.steps, "dropped": e.dropped}
                          for e in recorded if e.task == task]}
            for task in dict.fromkeys(episode.task for episode in recorded)]


def markdown(rows: Sequence[Sequence[object]]) -> str:
    """The table as Markdown."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def _say_where(screen: Screen, store_path: Path, table_path: Path, rrd_path: Path | None,
               took_s: float, trouble: str) -> None:
    if trouble:
        screen.say(f"not everything went well: {trouble}")
    screen.say(f"done in {took_s:.0f} s. Where to look:")
    screen.say(f"  the table          {table_path}")
    screen.say(f"  the store          tandem data ls {store_path}")
    if rrd_path:
        screen.say(f"  cameras and arm    rerun {rrd_path}")
