"""How late the control loop is: alone, while everything records and shows, and beside a trainer.

The real processes under the real supervisor: robot host with the simulated arm, station, recorder
and live view, driven by the scripted operator through one task after the other. Lateness is what
the loop itself wrote into its ticks; ticks between episodes, while the scene is being reset, do not
count. The trainer is a process that multiplies matrices without a pause, at ordinary priority.

Run it with `python tests/bench/loop.py [--seconds 20] [--repetitions 3]`; it prints a table and
writes out/bench/loop.json.
"""

import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from recorders.clock import NS_PER_S, ManualClock, SystemClock
from recorders.streams import Batch
from studio.sim.robot import SimRobot
from studio.station.messages import Mode, tick_stream
from studio.station.processes.bus import LatestSubscriber, open_context, private_endpoints
from studio.station.processes.rerun_worker import RerunConfig
from studio.station.processes.robot_host import RobotHostConfig
from studio.station.processes.supervisor import Supervisor, WorkerSpec
from studio.station.processes.watch import BATCHES
from studio.station.processes.wire import decode_batches
from studio.station.recording.recorder import RecorderConfig
from studio.station.session import SessionPlan
from studio.station.station_worker import StationConfig

RATE_HZ = 100.0
START_S = 60.0
OUT = Path("out/bench/loop.json")
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23      # linux/prctl.h, linux/capability.h
TRAINER = "import numpy as np\na = np.random.rand(256, 256)\nwhile True:\n    a = (a @ a) % 1.0\n"


class Case(msgspec.Struct, frozen=True):
    """What runs beside the loop."""

    name: str
    cameras: bool
    recorder: bool
    live: bool
    trainer: bool


CASES = (
    Case("alone", cameras=False, recorder=False, live=False, trainer=False),
    Case("with cameras, recorder and Rerun", cameras=True, recorder=True, live=True,
         trainer=False),
    Case("the same beside a trainer", cameras=True, recorder=True, live=True, trainer=True),
)


class Measured(msgspec.Struct, frozen=True):
    """One run of a case."""

    ticks: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    late_share: float           # more than one period


@contextmanager
def trainer(wanted: bool) -> Iterator[None]:
    """A process that never waits."""
    process = subprocess.Popen([sys.executable, "-c", TRAINER]) if wanted else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def measure(case: Case, seconds: float, folder: Path) -> Measured:
    """Run a case and read the lateness out of its ticks."""
    clock = SystemClock()
    info = SimRobot(ManualClock(), render=False).info
    specs = (tick_stream(info, RATE_HZ), *SimRobot(ManualClock()).info.streams)
    dtypes = {spec.name: spec.row_dtype for spec in specs}
    plan = SessionPlan(tasks=("put-cube-in-bin",) * 1000, practice=not case.recorder)
    with (trainer(case.trainer), private_endpoints() as links, open_context() as context,
          Supervisor(clock, lambda line: print(line, file=sys.stderr)) as supervisor):
        if case.recorder:
            supervisor.start(WorkerSpec(name="recorder", role="recorder", config=RecorderConfig(
                store=str(folder / "store"), links=links)))
            supervisor.wait_ready("recorder", timeout_s=START_S)
        supervisor.start(WorkerSpec(name="robot", role="robot", config=RobotHostConfig(
            links=links, driver="studio.sim.robot:SimRobot", options={"render": case.cameras})))
        supervisor.wait_ready("robot", timeout_s=START_S)
        if case.live:
            supervisor.start(WorkerSpec(name="rerun", role="rerun",
                                        config=RerunConfig(links=links, port=0)))
            supervisor.wait_ready("rerun", timeout_s=START_S)
        ticks = LatestSubscriber(context, links.watch, BATCHES, capacity=1000)
        supervisor.start(WorkerSpec(name="station", role="station", config=StationConfig(
            links=links, teleop="scripted", plan=plan, rate_hz=RATE_HZ, watched=True,
            recorded=case.recorder)))
        supervisor.wait_ready("station", timeout_s=START_S)
        lateness_ms: list[float] = []
        end_ns = clock.now_ns() + round(seconds * NS_PER_S)
        while clock.now_ns() < end_ns:
            ticks.wait(100)
            for message in ticks.drain():
                lateness_ms += driven(decode_batches(message, dtypes))
            supervisor.poll()
            if supervisor.ended:
                raise SystemExit(f"a process ended: {supervisor.ended}")
    late = np.array(lateness_ms)
    if len(late) < seconds * RATE_HZ / 4:
        raise SystemExit(f"only {len(late)} ticks were driven: is the machine overloaded?")
    return Measured(len(late), *(float(np.percentile(late, q)) for q in (50, 99, 100)),
                    late_share=float(np.mean(late > 1000 / RATE_HZ)))


def driven(batches: list[Batch]) -> list[float]:
    """Lateness in ms of those ticks in which the arm was driven."""
    return [float(row["lateness_ns"]) / 1e6 for batch in batches if batch.stream == "tick"
            for row in batch.rows if row["mode"] in (Mode.ARMED, Mode.HUMAN)]


def spread(values: list[float], digits: int = 2) -> str:
    """min / median / max."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{low:.{digits}f} / {middle:.{digits}f} / {high:.{digits}f}"


def granted_priority() -> str:
    """What a process started from here gets when it asks to run before others."""
    asked = subprocess.run(
        [sys.executable, "-c", "from studio.station.processes.priority import raise_priority\n"
                               "print(raise_priority())"], capture_output=True, check=True)
    return asked.stdout.decode().strip()


def give_up_privileges() -> None:
    """Start this program again without the right to raise priorities, as for an ordinary user."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)
    os.execv(sys.executable, [sys.executable,
                              *[word for word in sys.argv if word != "--ordinary"]])


def main(seconds: float = 20.0, repetitions: int = 3, ordinary: bool = False) -> None:
    """Measure all cases in turns, print a table, and write the JSON.

    Args:
        seconds: per run.
        repetitions: of every case.
        ordinary: without real-time priority, even where it would be granted (Linux, as root).
    """
    if ordinary:
        give_up_privileges()
    runs: dict[str, list[Measured]] = {case.name: [] for case in CASES}
    for _ in range(repetitions):
        for case in CASES:
            with tempfile.TemporaryDirectory() as folder:
                runs[case.name].append(measure(case, seconds, Path(folder)))
    load = os.getloadavg()
    priority = granted_priority()
    table = Table("control loop at 100 Hz", "late p50, ms", "late p99, ms", "late max, ms",
                  "late by a period, %",
                  title=f"Lateness over {seconds:g} s; min / median / max of {repetitions}; "
                        f"{os.cpu_count()} cores, load {load[0]:.1f}, {priority}")
    for name, measured in runs.items():
        table.add_row(name, *[spread([getattr(run, field) for run in measured])
                              for field in ("p50_ms", "p99_ms", "max_ms")],
                      spread([100 * run.late_share for run in measured]))
    Console(width=130).print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode(
        {"runs": runs, "load_average": load, "cores": os.cpu_count(), "priority": priority})))
    print(f"written to {OUT}")


if __name__ == "__main__":
    tyro.cli(main)
