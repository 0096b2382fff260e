"""What Rerun costs: in the control loop's process, and in the live view's.

The control loop only publishes what it did (`WatchPublisher`), whether anybody watches or not; the
live view's process pays for the logging. Logged are the simulated arm's streams, two 640x480 JPEG
cameras at 30 Hz and the 3-D scene, a few ticks at a time, because a call of Rerun's costs as much
for one row as for ten.

Run it with `python tests/bench/rerun_costs.py`; it prints a table and writes
out/bench/rerun_costs.json.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
import rerun as rr
from footage import FPS, HEIGHT, WIDTH, footage
from rich.console import Console
from rich.table import Table

from recorders.clock import NS_PER_S, ManualClock
from recorders.images import encode
from recorders.rerun_log import EpisodeLog
from recorders.streams import Batch, ImageField, StreamSpec
from studio.devices.interfaces import idle_input
from studio.sim.robot import SimRobot
from studio.station.loop.control_loop import TickRecord
from studio.station.messages import tick_stream
from studio.station.processes.bus import LatestSubscriber, open_context, private_endpoints
from studio.station.processes.rerun_worker import merged
from studio.station.processes.watch import BATCHES, WatchPublisher

RATE_HZ, SECONDS, REPETITIONS = 100, 10, 5
TOGETHER = (1, 10, 100)     # ticks per call; the live view takes ten
CAMERAS = ("front", "wrist")
OUT = Path("out/bench/rerun_costs.json")


def camera_streams() -> list[StreamSpec]:
    """Two cameras without a pose."""
    return [StreamSpec(name=name, rate_hz=FPS, images=(
        ImageField(name="rgb", height=HEIGHT, width=WIDTH, encoding="jpeg"),)) for name in CAMERAS]


def made_ticks() -> tuple[list[list[Batch]], list[StreamSpec], str]:
    """The batches of every tick of ten seconds, their streams, and the robot's model."""
    clock = ManualClock(start_ns=NS_PER_S)
    robot = SimRobot(clock, render=False)
    robot.connect()
    robot.reset("put-cube-in-bin", 0)
    tick, cameras = tick_stream(robot.info, RATE_HZ), camera_streams()
    films = [[encode(picture, "jpeg") for picture in footage(seed)] for seed in range(len(cameras))]
    home, ticks = np.array(robot.info.home), []
    for number in range(SECONDS * RATE_HZ):
        clock.advance(NS_PER_S // RATE_HZ)
        target = home + 0.3 * np.sin(number / 60) * (np.arange(len(home)) < 6)
        robot.send(target)
        row = np.zeros(1, tick.row_dtype)
        row["t_mono_ns"], row["seq"], row["sent"] = clock.now_ns(), number, target
        row["mode"], row["owner"] = 4, 1
        batches = [*robot.poll(), Batch("tick", row)]
        if number * FPS // RATE_HZ != (number - 1) * FPS // RATE_HZ:
            for spec, film in zip(cameras, films, strict=True):
                taken = np.zeros(1, spec.row_dtype)
                taken["t_mono_ns"], taken["seq"] = clock.now_ns(), number * FPS // RATE_HZ
                picture = film[number * FPS // RATE_HZ % len(film)]
                batches.append(Batch(spec.name, taken, ({"rgb": picture},)))
        ticks.append(batches)
    robot.disconnect()
    streams = [tick, *(spec for spec in robot.info.streams if not spec.images), *cameras]
    return ticks, streams, robot.info.model_xml


def logging_cost(ticks: list[list[Batch]], streams: list[StreamSpec], model_xml: str,
                 together: int) -> tuple[float, float]:
    """(wall, CPU of all threads) in ms per tick of 1/RATE_HZ s, into a file."""
    with tempfile.TemporaryDirectory() as folder:
        recording = rr.RecordingStream("bench", recording_id="bench")
        recording.save(Path(folder, "bench.rrd"))
        log = EpisodeLog(recording, streams, model_xml)
        wall, cpu = time.perf_counter(), time.process_time()
        for first in range(0, len(ticks), together):
            log.log(merged(batch for tick in ticks[first:first + together] for batch in tick))
        wall = time.perf_counter() - wall
        recording.flush()
        cpu = time.process_time() - cpu
        recording.disconnect()
    return 1e3 * wall / len(ticks), 1e3 * cpu / len(ticks)


def publishing_cost(ticks: list[list[Batch]]) -> tuple[float, float]:
    """(p50, p99) in ms per tick in the control loop, with somebody listening."""
    taken = []
    with private_endpoints() as links, open_context() as context:
        publisher = WatchPublisher(context, links, batches=True)
        listener = LatestSubscriber(context, links.watch, BATCHES)
        for number, batches in enumerate(ticks):
            tick = TickRecord(number, 0, batches[-1].rows, tuple(batches), {}, idle_input(0))
            begun = time.perf_counter_ns()
            publisher.on_tick(tick)
            taken.append((time.perf_counter_ns() - begun) / 1e6)
            if number % 10 == 0:
                listener.newest()
        while listener.wait(100):
            listener.newest()
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 99))


def spread(values: list[float], digits: int = 3) -> str:
    """min / median / max."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{low:.{digits}f} / {middle:.{digits}f} / {high:.{digits}f}"


def main() -> None:
    """Measure, print, and write the JSON."""
    ticks, streams, model_xml = made_ticks()
    costs: dict[str, list[float]] = {}
    for _ in range(REPETITIONS):
        p50, p99 = publishing_cost(ticks)
        costs.setdefault("control loop: publish a tick, p50 ms", []).append(p50)
        costs.setdefault("control loop: publish a tick, p99 ms", []).append(p99)
        for together in TOGETHER:
            wall, cpu = logging_cost(ticks, streams, model_xml, together)
            title = f"live view: log a tick, {together} at a time"
            costs.setdefault(f"{title}, wall ms", []).append(wall)
            costs.setdefault(f"{title}, CPU ms", []).append(cpu)
    table = Table("", "ms", title=f"Rerun, per tick of {1000 / RATE_HZ:g} ms; min / median / max "
                  f"of {REPETITIONS}")
    for title, values in costs.items():
        table.add_row(title, spread(values))
    Console(width=100).print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode(
        {"milliseconds": costs, "load_average": os.getloadavg()})))
    print(f"written to {OUT}")


if __name__ == "__main__":
    main()
