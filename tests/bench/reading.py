"""How fast random training windows come out of a store, beside LeRobot's dataset and zarr-python.

A window is 2 frames of 2 cameras and 16 actions. All sides read the same footage, recorded by each
side's own writer with its defaults (`reading_sides.py`), from a warm page cache, in one process,
taking turns. LeRobot is measured as it comes (pictures as float32) and with `return_uint8=True`,
which is what ours and zarr-python give. Wall times are the machine's mood; the CPU times beside
them count all threads.

Three questions are asked. A first visit: every picture of a window must be decoded, and made 128 x
96 px as the policy wants it; of large pictures ours and zarr-python read the reduced copies, which
LeRobot has not. A training: random windows, five for every picture as in the recipe that the policy
is trained with (a batch of 64 for six minutes on 150 demonstrations), from a cold start; our
sampler keeps what it has made small, the others begin anew every time. And a first visit of full
pictures, for who wants them: no promise, because there a window costs little more than decoding
its four pictures with the same library.

Run it with `python tests/bench/reading.py`; it prints a table and writes out/bench/reading.json.
"""

import json
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
from reading_sides import (
    CAMERAS,
    EPISODES,
    PICTURES,
    POLICY_SIZE,
    STEPS,
    Read,
    lerobot_reader,
    made_small,
    record_lerobot,
    record_tandem,
    require_same,
    tandem_reader,
    zarr_reader,
)
from rich.console import Console
from rich.table import Table

from recorders.picture_cache import PictureCache

SIZES = ((640, 480), (224, 224), (128, 128))        # width, height
REPETITIONS, WINDOWS = 7, 25
VISITS = 5                                          # windows per picture in a training
OUT = Path("out/bench/reading.json")

Times = dict[str, dict[str, list[float]]]           # reader -> "wall_ms", "cpu_ms" -> repetitions


def take_turns(readers: dict[str, Read], *, small: bool) -> Times:
    """Milliseconds per window, wall and CPU of all threads, one figure per repetition."""
    rng = np.random.default_rng(0)
    times: Times = {name: {"wall_ms": [], "cpu_ms": []} for name in readers}
    for _ in range(REPETITIONS):
        moments = draw(rng, WINDOWS)
        for name, read in readers.items():
            read(*moments[0])                           # caches and threads are warm again
            visit(read, moments, times[name], small=small)
    return times


def train(ours: Path, rivals: dict[str, Read]) -> Times:
    """Milliseconds per window of a training from a cold start, wall and CPU of all threads."""
    rng = np.random.default_rng(1)
    times: Times = {name: {"wall_ms": [], "cpu_ms": []} for name in ("tandem", *rivals)}
    for _ in range(REPETITIONS):
        cached = tandem_reader(ours, cache=PictureCache(prepare=made_small), small=True)
        # A rival's windows all cost the same, so a few tell; ours get cheaper and cheaper.
        visit(cached, draw(rng, VISITS * EPISODES * PICTURES), times["tandem"], small=False)
        for name, read in rivals.items():
            visit(read, draw(rng, WINDOWS), times[name], small=True)
    return times


def draw(rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Random moments: episode and picture."""
    return [(int(rng.integers(EPISODES)), int(rng.integers(1, PICTURES))) for _ in range(count)]


def visit(read: Read, moments: list[tuple[int, int]], times: dict[str, list[float]], *,
          small: bool) -> None:
    """Read windows and note what one took; `small`: and make their pictures the policy's size."""
    wall, cpu = time.perf_counter(), time.process_time()
    for episode, picture in moments:
        images, _ = read(episode, picture)
        for pictures in images.values() if small else ():
            for one in pictures:
                made_small(one)
    times["wall_ms"].append((time.perf_counter() - wall) / len(moments) * 1e3)
    times["cpu_ms"].append((time.process_time() - cpu) / len(moments) * 1e3)


def measure(size: tuple[int, int], folder: Path, pool: ThreadPoolExecutor
            ) -> tuple[dict[str, Times], dict[str, dict[str, float]]]:
    """Record footage of a size with both writers and ask the three questions.

    Returns:
        Question to times, and question to each reader's PSNR in dB.
    """
    ours, theirs = folder / "tandem", folder / "lerobot"
    folder.mkdir()
    record_tandem(ours, size)
    record_lerobot(theirs, size)
    rivals = {"lerobot": lerobot_reader(theirs, return_uint8=False),
              "lerobot uint8": lerobot_reader(theirs, return_uint8=True)}
    full = {"tandem": tandem_reader(ours), "tandem, 2 threads": tandem_reader(ours, pool),
            "zarr-python": zarr_reader(ours), **rivals}
    small = {"tandem": tandem_reader(ours, small=True),
             "tandem, 2 threads": tandem_reader(ours, pool, small=True),
             "zarr-python": zarr_reader(ours, small=True), **rivals}
    shown = {"small": require_same(small, size, small=True),
             "full": require_same(full, size, small=False)}
    name = f"{size[0]}x{size[1]}"
    wanted = f"{name} at {POLICY_SIZE[0]}x{POLICY_SIZE[1]}"
    slower = {reader: small[reader] for reader in ("zarr-python", *rivals)}
    times = {wanted: take_turns(small, small=True), f"training on {name}": train(ours, slower),
             f"{name}, full": take_turns(full, small=False)}
    return times, {wanted: shown["small"], f"{name}, full": shown["full"]}


def spread(values: list[float], digits: int = 2) -> str:
    """min / median / max."""
    middle = statistics.median(values)
    return f"{min(values):.{digits}f}/{middle:.{digits}f}/{max(values):.{digits}f}"


def ratios(slower: list[float], faster: list[float]) -> list[float]:
    """How many times as long, repetition by repetition: the machine's load changes between them."""
    return [s / f for s, f in zip(slower, faster, strict=True)]


def main() -> None:
    """Measure all sizes, print, and write the JSON."""
    logging.disable(logging.WARNING)
    console = Console(width=190)        # the table needs it, also when it goes into a file
    table = Table("pictures", "reader", "PSNR dB", "wall ms a window", "CPU ms a window",
                  "lerobot takes (wall)", "(CPU)", "zarr takes (wall)", "(CPU)",
                  title=f"Random windows: 2 frames x {len(CAMERAS)} cameras + {STEPS} actions; "
                        f"min/median/max of {REPETITIONS}; 'takes' counts in times of the row")
    results: dict[str, Times] = {}
    quality: dict[str, dict[str, float]] = {}
    load_before = os.getloadavg()
    with (tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool):
        os.environ["HF_DATASETS_CACHE"] = f"{folder}/cache"
        for size in SIZES:
            name = f"{size[0]}x{size[1]}"
            console.print(f"{name} footage: recorded by both writers, then read …",
                          highlight=False)
            times, shown = measure(size, Path(folder, name), pool)
            results |= times
            quality |= shown
    for what, times in results.items():
        for reader, measured in times.items():
            decibels = quality.get(what, {}).get(reader)
            slower = [spread(ratios(times[other][kind], measured[kind]), 1)
                      for other in ("lerobot", "zarr-python") for kind in measured]
            table.add_row(what, reader, f"{decibels:.1f}" if decibels else "",
                          spread(measured["wall_ms"]), spread(measured["cpu_ms"]), *slower)
    console.print(table)
    machine = {"python": sys.version.split()[0], "processor": platform.machine(),
               "cores": os.cpu_count(), "load_before": load_before,
               "load_after": os.getloadavg(),
               "repetitions": REPETITIONS, "windows_per_repetition": WINDOWS}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(json.dumps(
        {"machine": machine, "windows": results, "psnr_db": quality}).encode()))
    console.print(f"load {load_before[0]:.1f} before; written to {OUT}", highlight=False)


if __name__ == "__main__":
    main()
