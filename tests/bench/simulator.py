"""How much faster than real time the simulator runs under a virtual clock.

The arm is driven about without pause while every stream is produced; cameras, where there are any,
draw and encode. Run it as `python tests/bench/simulator.py [--seconds 10] [--repetitions 5]`;
the issue asks for at least 3 times real time with two 128-pixel cameras. Writes
out/bench/simulator.json.
"""

import os
import platform
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")   # before NumPy

import msgspec
import mujoco
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from recorders.clock import NS_PER_S, ManualClock
from studio.sim.arm_model import HOME_RAD
from studio.sim.offscreen import choose_backend
from studio.sim.robot import SimRobot

TICK_NS = 10_000_000
OUT = Path("out/bench/simulator.json")


class Case(msgspec.Struct, frozen=True):
    """What is drawn while the physics run."""

    name: str
    cameras: tuple[str, ...] = ("front", "wrist")
    size: int = 128
    depth: bool = False


CASES = (
    Case("physics and 3 streams", cameras=()),
    Case("2 x 128 px, colour"),
    Case("2 x 128 px, colour and depth", depth=True),
    Case("2 x 240 px, colour and depth", size=240, depth=True),
)


class Figures(msgspec.Struct, frozen=True):
    """Of one case, one number per repetition.

    Attributes:
        speed: simulated seconds per second on the wall.
        cpu: seconds of processor time per simulated second, all threads.
    """

    case: Case
    speed: list[float]
    cpu: list[float]


def measure(case: Case, *, seconds: float, repetitions: int) -> Figures:
    """Run one case several times in the same robot."""
    clock = ManualClock()
    robot = SimRobot(clock, image_size=(case.size, case.size), cameras=case.cameras,
                     depth=case.depth)
    speed, cpu = [], []
    with robot:
        drive(robot, clock, 0.5)            # the first picture compiles shaders
        for seed in range(repetitions):
            robot.reset("put-cube-in-bin", seed)
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            drive(robot, clock, seconds)
            speed.append(seconds / (time.perf_counter() - wall_s))
            cpu.append((time.process_time() - cpu_s) / seconds)
    return Figures(case, speed, cpu)


def drive(robot: SimRobot, clock: ManualClock, seconds: float) -> None:
    """Swing the arm over the table as an operator would."""
    for tick in range(int(seconds * NS_PER_S / TICK_NS)):
        phase = tick * TICK_NS / NS_PER_S
        swing = 0.4 * np.sin(np.array([1.1, 0.7, 0.9, 0.6, 1.3, 0.8, 1.7]) * phase)
        robot.send(np.append(np.array(HOME_RAD) + swing * (1, 0.3, 1, 0.3, 1, 0.5, 1),
                             0.5 + 0.5 * np.sin(phase)))
        clock.advance(TICK_NS)
        robot.poll()


def main(seconds: float = 10.0, repetitions: int = 5) -> None:
    """Measure every case and print a table.

    Args:
        seconds: simulated, per repetition.
        repetitions: per case.
    """
    table = Table(title=f"Simulated seconds per second, {repetitions} x {seconds:g} s")
    for column in ("case", "min", "median", "max", "CPU s per simulated s"):
        table.add_column(column, justify="left" if column == "case" else "right")
    results = []
    for case in CASES:
        figures = measure(case, seconds=seconds, repetitions=repetitions)
        results.append(figures)
        table.add_row(case.name, f"{min(figures.speed):.1f}",
                      f"{statistics.median(figures.speed):.1f}", f"{max(figures.speed):.1f}",
                      f"{statistics.median(figures.cpu):.3f}")
    machine = (f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}, "
               f"MuJoCo {mujoco.__version__}, {choose_backend()}")
    console = Console()
    console.print(table)
    console.print(machine)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.encode({"machine": machine, "results": results}))


if __name__ == "__main__":
    tyro.cli(main)
