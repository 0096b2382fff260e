"""What a reduced copy of a large picture costs in recording, and what it spares in learning.

Cameras of 640 x 480 and 1280 x 720 look at the simulated arm and at a textured scene with the noise
of a sensor. Pictures are encoded alone and with their copies, and both are read as a policy wants
them, 128 x 96 px. Times are CPU times of the one thread, taken in turns in one process.

Run it with `python tests/bench/reduced_pictures.py`; it prints a table and writes
out/bench/reduced_pictures.json.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
from reading_sides import footage
from rich.console import Console
from rich.table import Table

from policy.data.pictures import prepare_picture
from recorders.clock import NS_PER_S, ManualClock
from recorders.images import decode, encode
from recorders.picture_pair import encode_colours
from recorders.reduced_pictures import with_reduced
from recorders.streams import ImageField
from studio.sim.robot import SimRobot

SIZES = ((480, 640), (720, 1280))           # height, width
POLICY_SIZE = (96, 128)
PICTURES, REPETITIONS = 12, 5
OUT = Path("out/bench/reduced_pictures.json")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Of one camera; times in ms of CPU a picture, one a repetition; bytes and dB are means."""

    encode_ms: list[float]
    encode_with_copy_ms: list[float]
    read_full_ms: list[float]
    read_copy_ms: list[float]
    full_bytes: float
    copy_bytes: float
    full_psnr_db: float         # at the policy's size, against the picture before it was encoded
    copy_psnr_db: float


def simulated(size: tuple[int, int]) -> Iterator[np.ndarray]:
    """What the front camera of the simulated arm sees, a picture every 1/30 s."""
    clock = ManualClock()
    with SimRobot(clock, image_size=size, cameras=("front",), depth=False,
                  image_encoding="jpegxl-lossless") as robot:
        robot.reset("put-cube-in-bin", 1)
        for _ in range(PICTURES):
            clock.advance(NS_PER_S // 30)
            for batch in robot.poll():
                for images in batch.images:
                    yield decode(images["rgb"], "jpegxl-lossless", (*size, 3))


def cpu_ms(work: Callable[[np.ndarray], object], pictures: list[np.ndarray]) -> float:
    """CPU time of this thread for a picture."""
    begun = time.thread_time()
    for picture in pictures:
        work(picture)
    return (time.thread_time() - begun) / len(pictures) * 1e3


def psnr_db(shown: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio."""
    return float(10 * np.log10(255 ** 2 / np.mean((shown.astype(float) - truth) ** 2)))


def measure(pictures: list[np.ndarray]) -> Cost:
    """Encode and read pictures of one size, alone and with their copies, in turns."""
    height, width = pictures[0].shape[:2]
    fields = with_reduced(ImageField(name="rgb", height=height, width=width, encoding="jpeg"))
    full, copy = fields
    encoded = [encode_colours(picture, "rgb", fields) for picture in pictures]
    places = iter(range(10**9))

    def read(image: ImageField) -> np.ndarray:
        data = encoded[next(places) % len(encoded)][image.name]
        picture = decode(data, "jpeg", (image.height, image.width, 3))
        return prepare_picture(picture, POLICY_SIZE)

    times: list[list[float]] = [[], [], [], []]
    for _ in range(REPETITIONS):
        for series, work in zip(times, (
                lambda picture: encode(picture, "jpeg"),
                lambda picture: encode_colours(picture, "rgb", fields),
                lambda _: read(full), lambda _: read(copy)), strict=True):
            series.append(cpu_ms(work, pictures))

    def mean(figures: Iterator[float]) -> float:
        return statistics.fmean(figures)

    def quality(image: ImageField) -> float:
        return mean(psnr_db(prepare_picture(decode(one[image.name], "jpeg",
                                                   (image.height, image.width, 3)), POLICY_SIZE),
                            prepare_picture(picture, POLICY_SIZE))
                    for one, picture in zip(encoded, pictures, strict=True))

    return Cost(encode_ms=times[0], encode_with_copy_ms=times[1], read_full_ms=times[2],
                read_copy_ms=times[3], full_bytes=mean(len(one["rgb"]) for one in encoded),
                copy_bytes=mean(len(one[copy.name]) for one in encoded),
                full_psnr_db=quality(full), copy_psnr_db=quality(copy))


def spread(values: list[float]) -> str:
    """min / median / max."""
    return " / ".join(f"{v:.2f}" for v in (min(values), statistics.median(values), max(values)))


def main() -> None:
    """Measure, print a table, and write the JSON."""
    load = os.getloadavg()
    found: dict[str, Cost] = {}
    for size in SIZES:
        found[f"{size[1]}x{size[0]} simulated"] = measure(list(simulated(size)))
        textured = [picture for picture, _ in zip(footage((size[1], size[0]), 3), range(PICTURES),
                                                  strict=False)]
        found[f"{size[1]}x{size[0]} textured"] = measure(textured)
    table = Table("camera", "encode, ms", "with its copy, ms", "kB", "copy, kB",
                  "read for a policy, ms", "from the copy, ms", "dB", "from the copy, dB",
                  title=f"CPU time a picture; min / median / max of {REPETITIONS} times "
                        f"{PICTURES}; load {load[0]:.1f} before")
    for camera, cost in found.items():
        table.add_row(camera, spread(cost.encode_ms), spread(cost.encode_with_copy_ms),
                      f"{cost.full_bytes / 1e3:.1f}", f"{cost.copy_bytes / 1e3:.1f}",
                      spread(cost.read_full_ms), spread(cost.read_copy_ms),
                      f"{cost.full_psnr_db:.1f}", f"{cost.copy_psnr_db:.1f}")
    Console(width=180).print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode({
        "machine": {"python": platform.python_version(), "processor": platform.machine(),
                    "cores": os.cpu_count(), "load_before": load}, "cameras": found})))
    print(f"written to {OUT}")


if __name__ == "__main__":
    main()
