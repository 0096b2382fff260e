"""How long the recorder waits for the disk, on a disk of its own and on one that others load.

A killed recorder loses what waits in its inbox, so whatever makes it wait is data at risk. Here a
100 Hz loop appends the rows of a 7-DoF arm and, at 30 Hz, two pictures of 30 kB to a real store,
in short episodes; every call of `begin`, `append` and `commit` is timed by itself. The loaded case
runs beside a process that writes and fsyncs as hard as it can in the same file system: a large
file for the bandwidth, and many small ones for the file system's own journal. How old the oldest
byte becomes before the disk has it is measured, too: a power cut costs that much.

Run it as `python tests/bench/append_stalls.py [--seconds 20] [--repetitions 1]`. Writes
out/bench/append_stalls.json.
"""

import os
import platform
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")   # before NumPy

import msgspec
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from recorders.clock import NS_PER_S, SystemClock
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.store import DemoStore
from recorders.streams import Batch, Column, ImageField, StreamSpec

RATE_HZ, FPS = 100, 30
EPISODE_S = 2.0
PICTURE_BYTES = 30_000
LARGE_BYTES, BLOCK_BYTES = 512 << 20, 1 << 20
SMALL_FILES, SMALL_BYTES = 50, 4096
LOADERS = 4
STALL_MS = 100.0
OUT = Path("out/bench/append_stalls.json")

TICK = StreamSpec(name="tick", rate_hz=RATE_HZ, columns=tuple(
    Column(name=name, dtype="<f8", shape=(8,))
    for name in ("position", "velocity", "effort", "sent", "blended")))
CAMERAS = tuple(
    StreamSpec(name=camera, rate_hz=FPS, images=(
        ImageField(name="rgb", height=480, width=640, encoding="jpeg"),))
    for camera in ("front", "wrist"))

Waits = dict[str, list[int]]        # ns, by what was called


class Figures(msgspec.Struct, frozen=True):
    """Times of one kind of call in one case, in ms."""

    calls: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    stalls: int


class SyncWatch:
    """Notes how long every fdatasync took, and how old the oldest byte was when it ended.

    Attributes:
        took_ns: of each fdatasync; the sync thread's, mostly.
        ages_ns: per journal sync, from the beginning of the one before to its end: a row appended
            just after that beginning was on the disk no earlier.
    """

    def __init__(self) -> None:
        self.took_ns: list[int] = []
        self.ages_ns: list[int] = []
        self._began_ns: dict[int, int] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Stand between the store and os.fdatasync."""
        real = os.fdatasync

        def timed(file: int) -> None:
            began_ns = time.perf_counter_ns()
            real(file)
            ended_ns = time.perf_counter_ns()
            self.took_ns.append(ended_ns - began_ns)
            if Path(f"/proc/self/fd/{file}").readlink().suffix == ".journal":
                if file in self._began_ns:
                    self.ages_ns.append(ended_ns - self._began_ns[file])
                self._began_ns[file] = began_ns

        os.fdatasync = timed
        try:
            yield
        finally:
            os.fdatasync = real

    def next_episode(self) -> None:
        """What comes now is another journal, perhaps under the same number."""
        self._began_ns.clear()


def load_the_disk(folder: Path) -> None:
    """Write and fsync until killed."""
    os.nice(19)         # it is the disk that is to be busy, not the processors
    block, small = secrets.token_bytes(BLOCK_BYTES), secrets.token_bytes(SMALL_BYTES)
    while True:
        with (folder / "large").open("wb") as file:
            for _ in range(LARGE_BYTES // BLOCK_BYTES):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        for number in range(SMALL_FILES):
            with (folder / f"small-{number}").open("wb") as file:
                file.write(small)
                file.flush()
                os.fsync(file.fileno())
        for path in folder.iterdir():
            path.unlink()


@contextmanager
def loaded_disk(folder: Path) -> Iterator[None]:
    """A process that loads the disk."""
    processes = []
    for number in range(LOADERS):
        own = folder / str(number)
        own.mkdir(parents=True)
        processes.append(subprocess.Popen([sys.executable, __file__, "--load-disk", str(own)]))
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def record(path: Path, seconds: float) -> Waits:
    """Record one short episode after the other, and time every call."""
    clock, watch = SystemClock(), SyncWatch()
    waits: Waits = {name: [] for name in ("begin", "append row", "append picture", "commit")}
    pictures = [secrets.token_bytes(PICTURE_BYTES) for _ in range(8)]
    with watch.watching(), DemoStore.open(path, write=True, create=True) as store:
        end_ns = clock.now_ns() + round(seconds * NS_PER_S)
        while clock.now_ns() < end_ns:
            watch.next_episode()
            began_ns = time.perf_counter_ns()
            writer = store.begin(_header(clock))
            waits["begin"].append(time.perf_counter_ns() - began_ns)
            deadline_ns = clock.now_ns()
            for tick in range(round(EPISODE_S * RATE_HZ)):
                deadline_ns += NS_PER_S // RATE_HZ
                clock.wait_until(deadline_ns)
                for batch in _batches(tick, clock.now_ns(), pictures):
                    began_ns = time.perf_counter_ns()
                    writer.append(batch)
                    kind = "append picture" if batch.images else "append row"
                    waits[kind].append(time.perf_counter_ns() - began_ns)
            began_ns = time.perf_counter_ns()
            writer.commit(clock.now_ns())
            waits["commit"].append(time.perf_counter_ns() - began_ns)
    return {**waits, "fdatasync, by a thread": watch.took_ns, "age when on disk": watch.ages_ns}


def _header(clock: SystemClock) -> EpisodeHeader:
    return EpisodeHeader(
        episode=new_episode_id(clock.wall_ns(), secrets.token_hex(4)), task="bench",
        instruction="", seed=0, operator="", practice=False, robot={}, model_xml="",
        started_mono_ns=clock.now_ns(), started_wall_ns=clock.wall_ns(),
        streams=(TICK, *CAMERAS), software={})


def _batches(tick: int, now_ns: int, pictures: list[bytes]) -> Iterator[Batch]:
    yield Batch("tick", _row(TICK, tick, now_ns))
    if (tick + 1) * FPS // RATE_HZ > tick * FPS // RATE_HZ:
        number = tick * FPS // RATE_HZ
        for spec in CAMERAS:
            yield Batch(spec.name, _row(spec, number, now_ns),
                        ({"rgb": pictures[number % len(pictures)]},))


def _row(spec: StreamSpec, seq: int, now_ns: int) -> np.ndarray:
    row = np.zeros(1, spec.row_dtype)
    row["t_mono_ns"], row["seq"] = now_ns, seq
    return row


def figures(waits_ns: list[int]) -> Figures:
    """What the table shows of one kind of call."""
    waits_ms = np.array(waits_ns) / 1e6
    p50_ms, p99_ms, max_ms = np.percentile(waits_ms, (50, 99, 100)).tolist()
    return Figures(len(waits_ns), p50_ms, p99_ms, max_ms, int((waits_ms > STALL_MS).sum()))


def main(seconds: float = 20.0, repetitions: int = 1, load_disk: Path | None = None) -> None:
    """Measure both cases in turns and print a table.

    Args:
        seconds: of recording, per case and repetition.
        repetitions: of both cases; all calls of a case are thrown together.
        load_disk: do nothing but load the disk, in this folder, until killed.
    """
    if load_disk is not None:
        load_the_disk(load_disk)
    cases: dict[str, Waits] = {"quiet": {}, "loaded": {}}
    for _ in range(repetitions):
        for case, waits in cases.items():
            with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
                if case == "loaded":
                    with loaded_disk(Path(folder) / "load"):
                        taken = record(Path(folder) / "store", seconds)
                else:
                    taken = record(Path(folder) / "store", seconds)
            for name, waits_ns in taken.items():
                waits.setdefault(name, []).extend(waits_ns)
    table = Table(title=f"The recorder's waits, {repetitions} x {seconds:g} s a case")
    for column in ("disk", "call", "n", "p50 ms", "p99 ms", "max ms", f"> {STALL_MS:g} ms"):
        table.add_column(column, justify="left" if column in ("disk", "call") else "right")
    found = {case: {name: figures(waits_ns) for name, waits_ns in waits.items()}
             for case, waits in cases.items()}
    for case, calls in found.items():
        for name, one in calls.items():
            table.add_row(case, name, f"{one.calls}", f"{one.p50_ms:.3f}", f"{one.p99_ms:.3f}",
                          f"{one.max_ms:.2f}", f"{one.stalls}")
    machine = f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f} at the end"
    console = Console()
    console.print(table)
    console.print(machine)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine, "cases": found})))


if __name__ == "__main__":
    tyro.cli(main)
