"""Recording under load: our chain beside LeRobot's dataset writer, on the same footage.

A 100 Hz loop hands over one row each of the streams `tick` and `arm` per tick, and the pictures of
two 640x480 cameras at 30 Hz. Each side runs in a process of its own, in turns, for the same time.
The loop's thread asks for the priority that our station asks for, on both sides. Hand-over is timed
where it happens: every tick on our side, every frame on LeRobot's. Lateness is against absolute
deadlines that are never moved, so a stall of 100 ms makes ten late ticks. CPU time is of everything
from the first picture until the episode is committed, over the recorded time.

Run it with `python tests/bench/recording.py [--seconds 60] [--repetitions 3]`; it prints a table
and writes out/bench/recording.json.
"""

import gc
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
import tyro
from footage import FPS, Camera, footage
from recording_sides import CAMERAS, make_side
from rich.console import Console
from rich.table import Table

from recorders.clock import NS_PER_S, SystemClock
from recorders.streams import Column, StreamSpec
from studio.devices.interfaces import RobotInfo
from studio.station.messages import tick_stream
from studio.station.processes.priority import raise_priority

SIDES = ("tandem", "lerobot", "lerobot streaming")
RATE_HZ, JOINTS = 100, 8
OUT = Path("out/bench/recording.json")


class Measured(msgspec.Struct, frozen=True):
    """One side, one run."""

    side: str
    seconds: float
    dropped: int                # pictures that were due and cannot be read back
    late_share: float           # of ticks more than one period late
    lateness_p99_ms: float
    hand_over_p50_ms: float
    hand_over_p99_ms: float
    hand_over_max_ms: float
    look_p99_ms: float          # asking after the recorder's health, which LeRobot's has not
    cpu_share: float            # of one core
    commit_s: float
    finalize_s: float
    megabytes: float


def low_dimensional() -> tuple[StreamSpec, ...]:
    """The station's own record of a tick, and an arm's sample."""
    names = tuple(f"joint{i + 1}" for i in range(JOINTS))
    zero = (0.0,) * JOINTS
    info = RobotInfo(name="bench", joint_names=names, lower=zero, upper=zero, max_velocity=zero,
                     max_acceleration=zero, max_jerk=zero, home=zero, model_xml="", tool_site="",
                     arm_joints=names, streams=())
    arm = StreamSpec(name="arm", rate_hz=RATE_HZ, columns=tuple(
        Column(name=name, dtype="<f8", shape=(JOINTS,), names=names)
        for name in ("position", "velocity", "effort")))
    return tick_stream(info, RATE_HZ), arm


def measure(name: str, seconds: float, folder: Path) -> Measured:
    """Record one episode with one side."""
    streams = low_dimensional()
    films = [footage(seed) for seed in range(len(CAMERAS))]
    side = make_side(name, folder, streams)
    cameras = [Camera(film, side.work_of(camera), newest_only=name != "tandem")
               for film, camera in zip(films, CAMERAS, strict=True)]
    pictures = round(seconds * FPS)
    clock, period_ns = SystemClock(), NS_PER_S // RATE_HZ
    rng = np.random.default_rng(0)
    values = rng.normal(size=(RATE_HZ, JOINTS))
    gc.collect()
    gc.freeze()
    raise_priority()
    start_ns = clock.now_ns() + NS_PER_S // 5
    side.begin(start_ns)
    cpu_s = side.cpu_s()
    for camera in cameras:
        camera.start(start_ns, pictures)
    lateness, handing, looking = [], [], []
    # Half a second longer than the cameras, so that every picture finds a tick to take it.
    for number in range(round((seconds + 0.5) * RATE_HZ)):
        deadline_ns = start_ns + number * period_ns
        clock.wait_until(deadline_ns)
        stamp_ns = clock.now_ns()
        lateness.append(stamp_ns - deadline_ns)
        rows = {}
        for spec in streams:
            row = rows[spec.name] = np.zeros(1, spec.row_dtype)
            row["t_mono_ns"], row["t_wall_ns"], row["seq"] = stamp_ns, clock.wall_ns(), number
            for column in spec.columns:
                if column.shape == (JOINTS,) and column.dtype == "<f8":
                    row[column.name] = values[number % len(values)]
        taken = [camera.take() for camera in cameras]
        begun = time.perf_counter_ns()
        if side.hand_over(rows, taken):
            handing.append(time.perf_counter_ns() - begun)
        begun = time.perf_counter_ns()
        side.look()
        looking.append(time.perf_counter_ns() - begun)
    for camera in cameras:
        camera.join()
    stopped = side.stop()
    cpu_s = side.cpu_s() - cpu_s
    side.close()
    calls = np.array(handing) / 1e6
    late = np.array(lateness) / 1e6
    return Measured(
        side=name, seconds=seconds, dropped=pictures * len(CAMERAS) - stopped.frames,
        late_share=float(np.mean(late > period_ns / 1e6)),
        lateness_p99_ms=float(np.percentile(late, 99)),
        hand_over_p50_ms=float(np.percentile(calls, 50)),
        hand_over_p99_ms=float(np.percentile(calls, 99)), hand_over_max_ms=float(calls.max()),
        look_p99_ms=float(np.percentile(looking, 99)) / 1e6,
        cpu_share=cpu_s / seconds, commit_s=stopped.commit_s, finalize_s=stopped.finalize_s,
        megabytes=stopped.bytes / 1e6)


def in_own_process(name: str, seconds: float) -> Measured:
    """A run whose memory, threads and imports are nobody else's."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        done = subprocess.run(
            [sys.executable, __file__, "--side", name, "--seconds", str(seconds),
             "--folder", folder], stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Measured)


def spread(values: list[float], digits: int) -> str:
    """min / median / max."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{low:.{digits}f} / {middle:.{digits}f} / {high:.{digits}f}"


ROWS: tuple[tuple[str, str, float, int], ...] = (
    ("pictures dropped", "dropped", 1, 0),
    ("late ticks, %", "late_share", 100, 2),
    ("lateness p99, ms", "lateness_p99_ms", 1, 2),
    ("hand-over p50, ms", "hand_over_p50_ms", 1, 3),
    ("hand-over p99, ms", "hand_over_p99_ms", 1, 3),
    ("hand-over max, ms", "hand_over_max_ms", 1, 2),
    ("asking its health p99, ms", "look_p99_ms", 1, 3),
    ("CPU, % of a core", "cpu_share", 100, 1),
    ("stop to committed, s", "commit_s", 1, 3),
    ("then finalize, s", "finalize_s", 1, 3),
    ("on disk, MB", "megabytes", 1, 1),
)


def main(seconds: float = 60.0, repetitions: int = 3, side: str = "", folder: str = "") -> None:
    """Measure all sides in turns, print a table, and write the JSON.

    Args:
        seconds: recorded per run.
        repetitions: runs per side.
        side: measure only this one in this process and print one JSON line.
        folder: where `side` records.
    """
    if side:
        print(msgspec.json.encode(measure(side, seconds, Path(folder))).decode(), flush=True)
        return
    runs: dict[str, list[Measured]] = {name: [] for name in SIDES}
    for _ in range(repetitions):
        for name in SIDES:
            runs[name].append(in_own_process(name, seconds))
    table = Table("", *SIDES, title=f"Recording {seconds:g} s, two 640x480 cameras at {FPS} Hz and "
                  f"{RATE_HZ} Hz rows; min / median / max of {repetitions}")
    for title, field, scale, digits in ROWS:
        table.add_row(title, *[spread([scale * getattr(run, field) for run in runs[name]], digits)
                               for name in SIDES])
    Console(width=110).print(table)
    results: dict[str, Any] = {
        "machine": {"python": platform.python_version(), "processor": platform.machine(),
                    "cores": os.cpu_count(), "load_average": os.getloadavg()},
        "runs": runs}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    print(f"written to {OUT}")


if __name__ == "__main__":
    tyro.cli(main)
