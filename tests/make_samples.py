"""Make the sample stores of this format version: `python tests/make_samples.py`.

Run by hand, once per format version or addition to it; its output is committed and must open
forever. The same run makes the same bytes, so a difference in git shows that the writer changed. It
refuses to overwrite: a sample that is there stays as it is.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parent))

from doubles.synthetic_episodes import START_MONO_NS, START_WALL_NS, header

from recorders.clock import NS_PER_S, ManualClock
from recorders.images import encode, picture_dtype
from recorders.picture_pair import encode_colours
from recorders.reduced_pictures import with_reduced
from recorders.store import DemoStore
from recorders.streams import Batch, Column, ImageField, StreamSpec
from recorders.zarr_metadata import picture_shape

SAMPLES = Path(__file__).parent.parent / "datasets/samples"
NAME, REDUCED = "format-1", "format-1-reduced"
JOINTS = ("base", "shoulder", "elbow", "gripper")
TICK = StreamSpec(name="tick", rate_hz=100.0, columns=(
    Column(name="sent", dtype="<f8", shape=(4,), unit="rad", names=JOINTS),
    Column(name="mode", dtype="u1", values=("idle", "armed", "auto")),
    Column(name="lateness_ns", dtype="<i8", unit="ns")))
ARM = StreamSpec(name="arm", rate_hz=100.0, columns=(
    Column(name="position", dtype="<f8", shape=(4,), unit="rad", names=JOINTS),
    Column(name="wrench", dtype="<f4", shape=(6,), unit="N Nm")))
FRONT = StreamSpec(name="front", rate_hz=30.0, images=(
    ImageField(name="rgb", height=48, width=64, encoding="jpeg"),
    ImageField(name="depth", height=24, width=32, encoding="zstd", unit="0.001 m")))
WRIST = StreamSpec(name="wrist", rate_hz=30.0, images=(
    ImageField(name="rgb", height=24, width=32, encoding="jpegxl-lossless"),))
STREAMS = (TICK, ARM, FRONT, WRIST)
LARGE = StreamSpec(name="front", rate_hz=30.0, images=with_reduced(
    ImageField(name="rgb", height=288, width=384, encoding="jpeg")))
LARGE_PICTURES = 6
TICKS = 100                     # one second
PICTURES = 30


def made_rows(spec: StreamSpec, count: int) -> np.ndarray:
    """A smooth second of a stream, (count,) of its type."""
    rows = np.zeros(count, spec.row_dtype)
    i = np.arange(count)
    rows["seq"] = i
    rows["t_mono_ns"] = START_MONO_NS + (i * NS_PER_S / spec.rate_hz).astype("i8")
    rows["t_wall_ns"] = START_WALL_NS + (i * NS_PER_S / spec.rate_hz).astype("i8")
    for column in spec.columns:
        width = int(np.prod(column.shape))
        # Sevenths of whole numbers: the same on every machine, as sines would not be.
        values = np.add.outer(i, np.arange(width)).reshape(count, *column.shape) / 7
        rows[column.name] = values.astype(column.dtype)
    return rows


def seen(image: ImageField, i: int) -> np.ndarray:
    """A square that moves over a slope."""
    shape = picture_shape(image)
    picture = np.zeros(shape, picture_dtype(image.encoding))
    slope = np.add.outer(np.arange(shape[0]), np.arange(shape[1]))
    picture[...] = slope if len(shape) == 2 else slope[..., None] + np.array([0, 40, 80])
    picture[8:16, i:i + 8] = 200
    return picture


def made_pictures(spec: StreamSpec, i: int) -> dict[str, bytes | memoryview]:
    """The encoded pictures of row i."""
    return {image.name: encode(seen(image, i), image.encoding) for image in spec.images}


def record(store: DemoStore, number: int, detector: bool) -> str:
    """One episode of a second."""
    writer = store.begin(header(number, STREAMS, START_WALL_NS + 60 * number * NS_PER_S))
    for spec, count in ((TICK, TICKS), (ARM, TICKS), (FRONT, PICTURES), (WRIST, PICTURES)):
        pictures = [made_pictures(spec, i) for i in range(count if spec.images else 0)]
        writer.append(Batch(spec.name, made_rows(spec, count), tuple(pictures)))
    writer.event(START_MONO_NS, "instruction", text=f"put cube {number} in the bin")
    return writer.commit(START_MONO_NS + NS_PER_S, "success" if detector else "").episode


def seen_large(i: int) -> np.ndarray:
    """(288, 384, 3) u1: a square of 30 pixels that moves 30 a picture over a gentle slope."""
    slope = np.add.outer(np.arange(288), np.arange(384)) // 6
    picture = (slope[..., None] + np.array([0, 40, 80])).astype(np.uint8)
    picture[90:120, 30 * i:30 * i + 30] = (230, 60, 30)
    return picture


def make_first(store: DemoStore) -> None:
    """Three episodes: one a success, one labelled and given other words, one put away."""
    record(store, 0, detector=True)
    labelled = record(store, 1, detector=False)
    trashed = record(store, 2, detector=False)
    store.label(labelled, "failure", note="the cube slipped", by="ana")
    store.relabel(labelled, instruction="lift the cube", by="ana")
    store.trash(trashed, by="ana")


def make_reduced(store: DemoStore) -> None:
    """An episode of a camera whose large pictures have reduced copies."""
    writer = store.begin(header(0, (TICK, LARGE), START_WALL_NS))
    writer.append(Batch("tick", made_rows(TICK, 20)))
    writer.append(Batch("front", made_rows(LARGE, LARGE_PICTURES), tuple(
        encode_colours(seen_large(i), "rgb", LARGE.images) for i in range(LARGE_PICTURES))))
    writer.commit(START_MONO_NS + NS_PER_S // 5, "success")


def main() -> None:
    """Make the stores that are not there, and say how large they are."""
    for name, make in ((NAME, make_first), (REDUCED, make_reduced)):
        path = SAMPLES / name
        if path.exists():
            print(f"{path} exists: samples are made once and stay as they are")
            continue
        clock = ManualClock(0, START_WALL_NS)
        with DemoStore.open(path, write=True, create=True, clock=clock) as store:
            make(store)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        print(f"{path}: {size} bytes")


if __name__ == "__main__":
    main()
