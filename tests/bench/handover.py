"""What handing a tick to the recorder costs the control loop.

A 100 Hz loop hands over the rows of a 7-DoF arm and two pictures of 120 kB in *every* tick (three
times what two cameras at 30 Hz bring), to a recorder in a process of its own that writes a real
store. Timed is the call alone. Run it as `python tests/bench/handover.py [--seconds 10]
[--repetitions 3]`; the issue asks for at most 0.3 ms at the 99th percentile. Writes
out/bench/handover.json.
"""

import gc
import os
import platform
import secrets
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")   # before NumPy

import msgspec
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from recorders.clock import NS_PER_S, SystemClock
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.streams import Batch, Column, ImageField, StreamSpec
from studio.station.messages import RecorderHealth
from studio.station.processes.bus import open_context, private_endpoints
from studio.station.processes.priority import raise_priority
from studio.station.processes.supervisor import Supervisor, WorkerSpec
from studio.station.recording.record_link import RecorderClient
from studio.station.recording.recorder import RecorderConfig

RATE_HZ = 100
PICTURE_BYTES = 120_000
OUT = Path("out/bench/handover.json")

_WIDE = tuple(Column(name=name, dtype="<f8", shape=(8,))
              for name in ("position", "velocity", "effort", "sent", "blended"))
STREAMS = (
    StreamSpec(name="tick", rate_hz=RATE_HZ, columns=_WIDE),
    StreamSpec(name="arm", rate_hz=RATE_HZ, columns=_WIDE[:3]),
    StreamSpec(name="contact", rate_hz=500, columns=(
        Column(name="wrench", dtype="<f4", shape=(6,)),)),
    *(StreamSpec(name=camera, rate_hz=RATE_HZ, images=(
        ImageField(name="rgb", height=480, width=640, encoding="jpeg"),))
      for camera in ("front", "wrist")))
ROWS = {"tick": 1, "arm": 1, "contact": 5, "front": 1, "wrist": 1}


class Figures(msgspec.Struct, frozen=True):
    """Of one repetition: times of a call in ms, and what the recorder says at the end."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    late_ticks: int
    ticks: int
    health: RecorderHealth


def measure(folder: Path, seconds: float) -> Figures:
    """Record one episode."""
    clock, period_ns = SystemClock(), NS_PER_S // RATE_HZ
    ticks = int(seconds * RATE_HZ)
    pictures = [secrets.token_bytes(PICTURE_BYTES) for _ in range(8)]
    took_ns, late = np.zeros(ticks, np.int64), 0
    with (private_endpoints() as links, Supervisor(clock, print) as supervisor,
          open_context() as context):
        supervisor.start(WorkerSpec(name="recorder", role="recorder", patience_s=30.0,
                                    config=RecorderConfig(store=str(folder), links=links)))
        client = RecorderClient(context, links, clock)
        supervisor.wait_ready("recorder")
        client.wait_alive(10.0)
        client.begin(EpisodeHeader(
            episode=new_episode_id(clock.wall_ns(), secrets.token_hex(4)), task="bench",
            instruction="", seed=0, operator="", practice=False, robot={}, model_xml="",
            started_mono_ns=clock.now_ns(), started_wall_ns=clock.wall_ns(), streams=STREAMS,
            software={}))
        gc.collect()
        gc.freeze()         # as the station's process does
        raise_priority()
        deadline_ns = clock.now_ns()
        for number in range(ticks):
            deadline_ns += period_ns
            clock.wait_until(deadline_ns)
            late += clock.now_ns() - deadline_ns > period_ns
            batches = tuple(_batch(spec, number, clock.now_ns(), pictures) for spec in STREAMS)
            began_ns = time.perf_counter_ns()
            client.append(batches)
            took_ns[number] = time.perf_counter_ns() - began_ns
        gc.unfreeze()
        client.end(clock.now_ns(), "", "", "")
        client.wait_written(30.0)
        health = client.health()
        client.close()
    p50_ms, p99_ms, max_ms = np.percentile(took_ns / 1e6, (50, 99, 100)).tolist()
    return Figures(p50_ms, p99_ms, max_ms, late, ticks, health)


def _batch(spec: StreamSpec, number: int, now_ns: int, pictures: list[bytes]) -> Batch:
    count = ROWS[spec.name]
    rows = np.zeros(count, spec.row_dtype)
    rows["t_mono_ns"], rows["seq"] = now_ns, np.arange(count) + number * count
    if not spec.images:
        return Batch(spec.name, rows)
    return Batch(spec.name, rows, ({"rgb": pictures[number % len(pictures)]},))


def main(seconds: float = 10.0, repetitions: int = 3) -> None:
    """Measure and print a table.

    Args:
        seconds: of recording, per repetition.
        repetitions: each into a store of its own.
    """
    runs: list[Figures] = []
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
            runs.append(measure(Path(folder) / "store", seconds))
    table = Table(title=f"Handing over a tick with 2 x {PICTURE_BYTES // 1000} kB, "
                  f"{repetitions} x {seconds:g} s")
    for column in ("figure", "min", "median", "max"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for name, values in (
        ("p50 ms", [run.p50_ms for run in runs]), ("p99 ms", [run.p99_ms for run in runs]),
        ("max ms", [run.max_ms for run in runs]), ("late ticks", [run.late_ticks for run in runs]),
        ("overflowed", [run.health.overflowed for run in runs]),
        ("committed", [run.health.committed for run in runs]),
        ("commit ms", [run.health.last_commit_ms for run in runs]),
    ):
        table.add_row(name, f"{min(values):.3g}", f"{statistics.median(values):.3g}",
                      f"{max(values):.3g}")
    console = Console()
    console.print(table)
    machine = f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    console.print(machine)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.encode({"machine": machine, "runs": runs}))


if __name__ == "__main__":
    tyro.cli(main)
