"""What a training batch costs: opening the demonstrations, and 32 pairs of 2 cameras.

Run it with `python tests/bench/training_batches.py [STORE …]`; without a store it records three
short demonstrations first. It prints a table and writes out/bench/training_batches.json. Warm
batches come from pictures in memory, as all do after a training's first minute; cold ones decode
nearly all of theirs. CPU times count all threads.
"""

import contextlib
import io
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from policy.data.batches import TrainingSet
from policy.interfaces import PolicySpec
from studio import cli

PAIRS, COLD, WARM = 32, 8, 40
OUT = Path("out/bench/training_batches.json")
SPEC = PolicySpec(cameras={"front": "rgb", "wrist": "rgb"})


def cpu_ms(lessons: TrainingSet, seeds: range) -> list[float]:
    """CPU milliseconds of each batch."""
    taken = []
    for seed in seeds:
        start = time.process_time()
        lessons.batch(np.random.default_rng(seed), PAIRS)
        taken.append((time.process_time() - start) * 1e3)
    return taken


def measure(stores: list[Path], spec: PolicySpec) -> dict[str, Any]:
    """Open, draw cold, draw the same again."""
    wall, cpu = time.perf_counter(), time.process_time()
    lessons = TrainingSet.open(stores, spec)
    opened = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    cpu_ms(lessons, range(1))                       # what is done once is no batch's cost
    cold = cpu_ms(lessons, range(1, COLD + 1))
    warm = [value for _ in range(WARM // COLD) for value in cpu_ms(lessons, range(1, COLD + 1))]
    return {"episodes": len(lessons.demonstrations) + len(lessons.held_out),
            "moments": sum(map(len, lessons.demonstrations)), "opened": opened,
            "cold_ms": cold, "warm_ms": warm}


def main(stores: tyro.conf.Positional[tuple[Path, ...]] = ()) -> None:
    """Measure, print, and write the JSON.

    Args:
        stores: demonstrations to draw from; none: three are recorded first.
    """
    torch.set_num_threads(1)
    table = Table("", "episodes", "moments", "open, s wall (CPU)", "cold batch, CPU ms",
                  "warm batch, CPU ms", title=f"{PAIRS} pairs of {len(SPEC.cameras)} cameras; "
                  f"min / median / max of {COLD} cold and {WARM} warm batches")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        chosen = list(stores)
        if not chosen:
            chosen = [Path(folder, "store")]
            with contextlib.redirect_stdout(io.StringIO()):
                cli.main(["record", "--task", "push-button", "--episodes", "3", "--fast",
                          "--seed", "5000", "--to", str(chosen[0]), "--json"])
        for name, spec in (("pictures", SPEC), ("pictures and 512 points", msgspec.structs.replace(
                SPEC, cloud_points=512))):
            found = results[name] = measure(chosen, spec)
            opened = found["opened"]
            table.add_row(name, str(found["episodes"]), str(found["moments"]),
                          f"{opened['wall_s']:.2f} ({opened['cpu_s']:.2f})",
                          spread(found["cold_ms"]), spread(found["warm_ms"]))
    Console(width=140).print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode(
        {"results": results, "cores": os.cpu_count(), "load_average": os.getloadavg()})))


def spread(values: list[float]) -> str:
    """min / median / max."""
    return f"{min(values):.1f} / {statistics.median(values):.1f} / {max(values):.1f}"


if __name__ == "__main__":
    tyro.cli(main)
