"""`tandem eval`: how often a policy succeeds, how quickly, and how it fails.

Knows options, words and rates of success; a trial itself is studio/station/trying/evaluation.py.
"""

import math
import os
import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from policy.statistics import shares, wilson
from studio.commands.bounds import (
    require_at_least_one,
    require_device,
    require_finite,
    require_image_size,
)
from studio.commands.output import Answer, Screen, UsersMistakeError
from studio.commands.variety import disturbed
from studio.station.robots import require_robot, tasks_of

if TYPE_CHECKING:
    from policy.driving.two_speeds import Delays, Pace
    from studio.station.trying.trials import Edit, Trial, Trials

_EDIT = re.compile(r"^\s*(?:\+(\d+)|(\d+)|(\d+(?:\.\d+)?) ?cm|([a-z]+))\s*:\s*(\S.*)$")


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Let a policy try a task from many seeds in the simulator, under a virtual clock.

    Every seed is one scene; the same seeds are the same scenes for every policy. Seeds 1000 to
    1999 are for final evaluations: choose nothing by them.
    """

    run_folder: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a training run or of one of its checkpoints, folder of a LeRobot policy (or
    hf:owner/name), or ws://HOST:PORT of a server that speaks openpi's protocol."""
    task: str = "put-cube-in-bin"
    """What to try; `tandem tasks` lists the tasks."""
    robot: str = "sim"
    """The robot to try it on: sim, or an environment such as gym:pusht."""
    seeds: str = "5000:5050"
    """First seed and the one after the last."""
    ratio: str = "1:4"
    """Runs of System 2 to calls of System 1, as 1:4; or "once" per episode."""
    act_every: int = 4
    """System 1 plans anew every so many steps of its chunk."""
    join: Literal["guided", "latest", "ensemble", "weighted-average"] = "guided"
    """How a chunk is joined to those before it. guided: System 1 plans around what is executed
    until the chunk arrives; latest: the newest alone; ensemble: the mean of all, as ACT's;
    weighted-average: 0.3 of the old and 0.7 of the new, as LeRobot's client."""
    steps: int | None = None
    """Flow steps of System 1; 0: the direct head answers. As in training if not given."""
    instruction: str = ""
    """What the policy is told instead of the task's own words. {colour} and {onto} stand for the
    colours that the task asks for, {other} for another one."""
    keep_goal: bool = False
    """Go on judging by what the task asked for, whatever --instruction tells the policy."""
    edit: tuple[str, ...] = ()
    """Other words in mid-episode, as "150:put the {other} cube in the bin" (at that tick of the
    control loop, 100 per second), "10cm:…" (once the tool is so near to the asked cube), "carry:…"
    (once the scene is in that phase) or "+50:…" (so many ticks after the edit before)."""
    edit_mode: Literal["flush", "soft", "scheduled"] = "flush"
    """What an edit does. flush: the running chunk is dropped, System 2 runs at once and the arm
    waits for it; soft: System 2 runs at once, the arm goes on; scheduled: System 2 in its turn."""
    drift: float = 0.0
    """The asked cube moves about at so many m/s until the hand is near it."""
    bumps: float = 0.0
    """Share of the trials in which the asked cube is pushed some cm as the hand comes near."""
    delay_ms: tuple[float, float] = (0.0, 0.0)
    """How long System 2 and System 1 are made to take, in ms of the virtual clock."""
    workers: int = 1
    """Processes that share the seeds."""
    threads: int = 1
    """Threads of the network in each process."""
    device: str = "cpu"
    """Where the network computes: cpu or cuda."""
    policy_map: tuple[str, ...] = ()
    """For a policy of LeRobot or of a server: its names and ours, as observation.images.top=front,
    observation.state=joints, action=joints, rate=30; docs/policies.md lists what may be said."""
    max_s: float = 0.0
    """Longest trial in s; 0: as long as the task allows."""
    image_size: tuple[int, int] = (240, 320)
    """Height and width of the simulated cameras' pictures, before the policy's own scaling."""
    to: Path | None = None
    """Folder for an .rrd file of every failure; the run's own folder `failures` if not given."""
    no_views: bool = False
    """Keep no .rrd files of failures: a little faster."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Try every seed, and print what came of it."""
        seeds = parse_seeds(self.seeds)
        require_robot(self.robot)
        if self.task not in (tasks := tasks_of(self.robot)):
            raise UsersMistakeError(f"unknown task {self.task!r}: valid are {', '.join(tasks)}")
        require_at_least_one((("--workers", self.workers), ("--threads", self.threads),
                              ("--act-every", self.act_every)))
        require_finite("--steps", self.steps or 0)
        require_finite("--max-s", self.max_s)
        require_image_size(self.image_size)
        require_device(self.device)
        if self.to is not None and self.to.exists() and not self.to.is_dir():
            raise UsersMistakeError(f"{self.to} is a file: --to names a folder")
        disturbance = disturbed(self.robot, self.task, bumps=self.bumps, drift_m_s=self.drift)
        # Here, because the simulator and the network bring much: --help need not wait for them.
        from policy.data.signals import MissingSignal
        from studio.station.trying.evaluation_jobs import EvaluationJob, run_jobs

        job = EvaluationJob(
            policy=self.run_folder, policy_map=self.policy_map, device=self.device,
            threads=self.threads, flow_steps=self.steps, views=str(self._views() or ""),
            trials=self._trials(seeds, disturbance))
        done: list[Trial] = []
        with screen.progress(f"trying {self.task}", len(seeds)) as progress:
            def on_trial(trial: "Trial") -> None:
                done.append(trial)
                progress.step(in_words(trial, sum(t.success_s is not None for t in done),
                                       len(done)))

            try:
                run_jobs(job, self.workers, on_trial)
            except MissingSignal as mistake:
                raise UsersMistakeError(str(mistake)) from mistake
        done.sort(key=lambda trial: trial.seed)
        summary = summarise(done, self.act_every)
        self._print(screen, done, summary)
        return Answer({"run": str(self.run_folder), "robot": self.robot, "task": self.task,
                       "seeds": self.seeds, "ratio": self.ratio, "act_every": self.act_every,
                       "flow_steps": self.steps,
                       "edit_mode": self.edit_mode if self.edit else "", "edit": list(self.edit),
                       "instruction": self.instruction, "drift": self.drift, "bumps": self.bumps,
                       "delay_ms": list(self.delay_ms), **summary})

    def _views(self) -> Path | None:
        """Where failures are kept; nowhere for a policy that is no run's, unless told."""
        if self.no_views or self.to is not None:
            return None if self.no_views else self.to
        run = Path(self.run_folder)
        for folder in (run, run.parent.parent):         # it may be one of the run's checkpoints
            if (folder / "checkpoints").is_dir() and os.access(folder, os.W_OK):
                return folder / "failures"
        return None

    def _trials(self, seeds: range, disturbance: dict[str, float]) -> "Trials":
        from studio.station.trying.trials import Trials

        return Trials(
            task=self.task, robot=self.robot, seeds=tuple(seeds), instruction=self.instruction,
            keep_goal=self.keep_goal, edits=tuple(parse_edit(text) for text in self.edit),
            max_s=self.max_s, disturbance=disturbance,
            pace=parse_pace(self.ratio, self.act_every, self.edit_mode),
            join=self.join, delays=parse_delays(*self.delay_ms), image_size=self.image_size)

    def _print(self, screen: Screen, trials: "list[Trial]", summary: dict[str, Any]) -> None:
        low, high = summary["wilson95"]
        screen.table("", ("", ""), [
            ("succeeded", f"{summary['successes']} of {summary['episodes']}, 95 % interval "
                          f"{low:.3f} – {high:.3f}"),
            ("time to success", _range(summary["time_to_success_s"], "s")),
            ("failed seeds", " ".join(map(str, summary["failed_seeds"])) or "none"),
            ("System 1", f"{summary['system1_calls_per_s']:.1f} calls/s and "
                         f"{summary['actions_per_s']:.0f} actions/s of the robot's time; "
                         f"{_range(summary['system1_ms'], 'ms')} a call on this machine"),
            ("System 2", f"{summary['system2_hz']:.2f} Hz; "
                         f"{_range(summary['system2_ms'], 'ms')} a run on this machine"),
            ("observation to command", _range(summary["latency_ms"], "ms")
                                       + " of the robot's time"),
            ("age of the latent", _range(summary["latent_age_s"], "s")),
            ("speed", f"{summary['realtime_factor']:.1f} times real time per process")])
        for trial in trials:
            if trial.success_s is None:
                screen.print(f"seed {trial.seed}: {trial.instruction!r}; said: "
                             f"{', then '.join(trial.said) or 'nothing'}"
                             f"{'; ' + trial.why if trial.why else ''}")
        if summary["views"]:
            screen.say(f"{len(summary['views'])} failures lie in {self._views()}: open one with "
                       f"`rerun FILE`")
        elif summary["failed_seeds"] and not self.no_views:
            screen.say("With `--to FOLDER` every failure is kept as an .rrd file to look at")


def in_words(trial: "Trial", successes: int, trials: int) -> str:
    """One line about a trial that is over."""
    how = (f"success after {trial.success_s:.1f} s" if trial.success_s is not None
           else f"failure{': ' + trial.why if trial.why else ''}")
    return f"seed {trial.seed}: {how} ({successes} of {trials})"


def summarise(trials: "list[Trial]", act_every: int) -> dict[str, Any]:
    """What the trials say together, as `--json` shows it.

    Args:
        trials: in the order in which they are listed.
        act_every: steps of a chunk that were played before the next one.

    Rates are per second of the robot's time; `latency_ms` is from an observation's stamp to the
    first tick that followed it; `system1_ms` and `system2_ms` are wall times on this machine.
    """
    times_s = [trial.success_s for trial in trials if trial.success_s is not None]
    robot_s = math.fsum(trial.duration_s for trial in trials) or math.nan
    calls = sum(trial.system1_calls for trial in trials)
    return {
        "successes": len(times_s), "episodes": len(trials),
        "wilson95": list(wilson(len(times_s), len(trials))),
        "failed_seeds": [trial.seed for trial in trials if trial.success_s is None],
        "time_to_success_s": shares(times_s),
        "system1_calls_per_s": calls / robot_s,
        "actions_per_s": act_every * calls / robot_s,
        "system2_hz": sum(trial.system2_runs for trial in trials) / robot_s,
        "latency_ms": shares(list(chain.from_iterable(t.latency_ms for t in trials))),
        "system1_ms": shares(list(chain.from_iterable(t.act_ms for t in trials))),
        "system2_ms": shares(list(chain.from_iterable(t.think_ms for t in trials))),
        "latent_age_s": shares(list(chain.from_iterable(t.age_s for t in trials))),
        "edit_effect_ticks": shares(list(chain.from_iterable(t.effect_ticks for t in trials))),
        "held": sum(trial.held for trial in trials),
        "slowed": sum(trial.slowed for trial in trials),
        "dry_ticks": sum(trial.dry_ticks for trial in trials),
        "realtime_factor": robot_s / (math.fsum(t.wall_s for t in trials) or math.nan),
        "views": [trial.view for trial in trials if trial.view],
        "trials": [{"seed": t.seed, "instruction": t.instruction, "success_s": t.success_s,
                    "duration_s": t.duration_s, "why": t.why, "said": list(t.said),
                    "edited_s": list(t.edited_s), "effect_ticks": list(t.effect_ticks),
                    "alerts": [list(a) for a in t.alerts]}
                   for t in trials],
    }


def parse_seeds(text: str) -> range:
    """"1000:1050" as a range.

    Raises:
        UsersMistakeError: it is none, or empty.
    """
    first, colon, end = text.partition(":")
    if colon and first.isdecimal() and end.isdecimal() and int(first) < int(end):
        return range(int(first), int(end))
    raise UsersMistakeError(f"--seeds is the first seed and the one after the last, as 5000:5050, "
                            f"not {text!r}")


def parse_pace(ratio: str, act_every: int, edit: Literal["flush", "soft", "scheduled"]) -> "Pace":
    """How often the two systems run.

    Raises:
        UsersMistakeError: the ratio is neither "once" nor 1:N.
    """
    from policy.driving.two_speeds import Pace

    one, _, calls = ratio.partition(":")
    if ratio != "once" and not (one == "1" and calls.isdecimal() and int(calls) > 0):
        raise UsersMistakeError(f"--ratio is one run of System 2 to so many calls of System 1, as "
                                f"1:4, or once; not {ratio!r}")
    return Pace(act_every_steps=act_every, edit=edit,
                think_every="once" if ratio == "once" else int(calls))


def parse_edit(text: str) -> "Edit":
    """"150:new words", "10cm:new words", "carry:new words" or "+50:new words".

    Raises:
        UsersMistakeError: it is neither.
    """
    from studio.station.trying.trials import Edit

    if (found := _EDIT.match(text)) is None:
        raise UsersMistakeError(f"--edit is a tick and new words, as '150:put the blue cube in the "
                                f"bin', or a distance, a phase or a time after the edit before, as "
                                f"'10cm:…', 'carry:…' and '+50:…'; not {text!r}")
    later, tick, near_cm, phase, words = found.groups()
    if phase:
        # Here, because the simulator brings much. No scene is ever in another phase.
        from studio.sim.tasks import PHASES

        if phase not in PHASES:
            raise UsersMistakeError(f"--edit {text!r}: there is no phase {phase!r}: valid are "
                                    f"{', '.join(PHASES)}")
    return Edit(text=words, later=int(later or -1), tick=int(tick or -1),
                within_m=float(near_cm or 0) / 100, phase=phase or "")


def parse_delays(think_ms: float, act_ms: float) -> "Delays":
    """What `--delay-ms` means.

    Raises:
        UsersMistakeError: it is negative, or no number.
    """
    from policy.driving.two_speeds import Delays

    for delay_ms in (think_ms, act_ms):
        require_finite("--delay-ms", delay_ms)
    return Delays(think_s=think_ms / 1000, act_s=act_ms / 1000)


def _range(shown: dict[str, float], unit: str) -> str:
    if math.isnan(shown["p50"]):
        return "–"
    return (f"median {shown['p50']:.3g} {unit}, p99 {shown['p99']:.3g} {unit}, "
            f"at most {shown['max']:.3g} {unit}")
