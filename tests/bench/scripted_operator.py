"""How often the scripted operator succeeds, through the real chain and without rendering.

Twist, clutch, inverse kinematics, motion limits and physics are those of a recording; only the
recorder and the cameras are left out. Run it as
`python tests/bench/scripted_operator.py --tasks all --seeds 3000:3200 --workers 2 [--errors]`.

(Not called operator.py: a script's folder comes first on the import path, and Python's own
`operator` would be hidden from every benchmark beside it.)
"""

import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")   # before NumPy: workers must not fight for cores

import msgspec
import tyro

from policy.statistics import wilson
from recorders.clock import NS_PER_S, ManualClock
from studio.sim.human_errors import CLUMSY, Errors
from studio.sim.operator import ScriptedOperator
from studio.sim.robot import SimRobot
from studio.sim.tasks import TASKS
from studio.station.loop.control_loop import ControlLoop
from studio.station.loop.ownership import Event
from studio.station.loop.safety import SafetyLimits

RATE_HZ = 100.0


class Episode(msgspec.Struct, frozen=True):
    """How one episode went.

    Attributes:
        success_s: simulated time until the task's judge said so; None if it never did.
        done: the operator itself thought that it was done, by the end.
        cpu_s: of this process.
    """

    task: str
    seed: int
    success_s: float | None
    done: bool
    cpu_s: float


class Desk:
    """The simulated arm, a control loop and the scripted operator under a virtual clock."""

    def __init__(self, errors: Errors | None = None) -> None:
        self.clock = ManualClock()
        self.robot = SimRobot(self.clock, render=False)
        self.robot.connect()
        self.operator = ScriptedOperator(errors=errors)
        self.operator.connect()
        self.loop = ControlLoop(clock=self.clock, robot=self.robot, teleop=self.operator,
                                limits=SafetyLimits(), rate_hz=RATE_HZ)

    def reset(self, task: str, seed: int, instruction: str | None = None) -> None:
        """A new scene, the arm armed and standing, the operator at the beginning."""
        self.loop.ownership.on(Event.DISARM)
        self.loop.instruction = self.robot.reset(task, seed, instruction)
        self.loop.task = task
        self.loop.forget_posture()
        self.operator.begin(seed)
        while refused := self.loop.arm():
            if self.loop.latest:
                raise RuntimeError(refused)
            self.tick()

    def tick(self) -> None:
        """One period of the control loop."""
        self.clock.advance(round(NS_PER_S / RATE_HZ))
        self.loop.tick()

    def ticks(self, duration_s: float) -> Iterator[float]:
        """Run for a while, stopping once the judge and the operator agree that it is done.

        Yields:
            The time since the start, s, after every tick.
        """
        for number in range(1, round(duration_s * RATE_HZ) + 1):
            self.tick()
            yield number / RATE_HZ
            if self.robot.world.run.success and self.operator.done:
                return

    def episode(self, task: str, seed: int, instruction: str | None = None) -> Episode:
        """Do a task from a seed, within the time that it is allowed."""
        began_s = time.process_time()
        self.reset(task, seed, instruction)
        success_s = None
        for now_s in self.ticks(TASKS[task].max_duration_s):
            if success_s is None and self.robot.world.run.success:
                success_s = now_s
        return Episode(task, seed, success_s, self.operator.done, time.process_time() - began_s)


@dataclass(frozen=True)
class Config:
    """Success of the scripted operator, per task."""

    tasks: str = "all"
    """Names separated by commas, or "all"."""
    seeds: str = "3000:3200"
    """First seed and the one after the last."""
    workers: int = 2
    """Processes that share the seeds."""
    errors: bool = False
    """Drive like a beginner: pauses, overshoot, a nervous hand."""
    json: bool = False
    """One JSON object per episode instead of the table."""


def run(config: Config) -> Iterator[Episode]:
    """All episodes of a configuration in this process."""
    desk = Desk(CLUMSY if config.errors else None)
    for task in chosen(config.tasks):
        for seed in _seeds(config.seeds):
            yield desk.episode(task, seed)


def run_in_workers(config: Config) -> list[Episode]:
    """All episodes, each process taking a stretch of the seeds."""
    seeds = _seeds(config.seeds)
    share = -(-len(seeds) // config.workers)
    stretches = [seeds[i:i + share] for i in range(0, len(seeds), share)]
    flag = "--errors" if config.errors else "--no-errors"
    processes = [subprocess.Popen(
        [sys.executable, __file__, "--tasks", config.tasks, "--workers", "1", "--json", flag,
         "--seeds", f"{stretch[0]}:{stretch[-1] + 1}"],
        stdout=subprocess.PIPE, text=True) for stretch in stretches]
    written = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit("a worker failed: its message stands above")
    return [msgspec.json.decode(line, type=Episode)
            for text in written for line in text.splitlines()]


def print_table(episodes: list[Episode], config: Config) -> None:
    """Per task: successes, interval, time to success, CPU time, and the seeds that failed."""
    print(f"scripted operator, seeds {config.seeds}, "
          f"{'with errors' if config.errors else 'without errors'}; {platform.machine()}, "
          f"{os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'task':<17}{'success':>9}  {'95 % interval':<16}"
          f"{'to success s':>13}{'slowest':>8}{'CPU s':>7}  failed seeds")
    for task in chosen(config.tasks):
        mine = [episode for episode in episodes if episode.task == task]
        times_s = [episode.success_s for episode in mine if episode.success_s is not None]
        low, high = wilson(len(times_s), len(mine))
        failed = " ".join(str(episode.seed) for episode in mine if episode.success_s is None)
        print(f"{task:<17}{f'{len(times_s)}/{len(mine)}':>9}  {f'{low:.3f} – {high:.3f}':<16}"
              f"{statistics.median(times_s) if times_s else math.nan:>13.2f}"
              f"{max(times_s, default=math.nan):>8.2f}"
              f"{statistics.mean(episode.cpu_s for episode in mine):>7.2f}  {failed or '-'}")


def chosen(tasks: str) -> list[str]:
    """The names meant by "all" or a list with commas."""
    names = list(TASKS) if tasks == "all" else tasks.split(",")
    if unknown := [name for name in names if name not in TASKS]:
        raise SystemExit(f"unknown task {unknown[0]!r}: valid are {', '.join(TASKS)}")
    return names


def _seeds(seeds: str) -> range:
    first, end = seeds.split(":")
    return range(int(first), int(end))


def main(config: Config) -> None:
    """Run and print."""
    if config.json:
        for episode in run(config):
            print(msgspec.json.encode(episode).decode(), flush=True)
    else:
        print_table(run_in_workers(config), config)


if __name__ == "__main__":
    main(tyro.cli(Config))
