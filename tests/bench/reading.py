"""How fast random training windows come out of a store, beside LeRobot's dataset and zarr-python.

A window is 2 frames of 2 cameras and 16 actions. All sides read the same footage, recorded by each
side's own writer with its defaults (ours: JPEG 95; LeRobot 0.6.1: AV1 with a key frame every second
picture), from a warm page cache, in one process, taking turns. LeRobot is measured as it comes
(pictures as float32) and with `return_uint8=True`, which is what ours and zarr-python give. Wall
times are the machine's mood; the CPU times beside them count all threads.

Two questions are asked. A first visit: every picture of a window must be decoded. And a training:
random windows, five for every picture as in the recipe that the policy is trained with (a batch of
64 for six minutes on 150 demonstrations), from a cold start, with pictures made 128 x 96 px as the
policy wants them; our sampler keeps what it has made small, the others begin anew every time.

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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("SVT_LOG", "1")       # the AV1 encoder is talkative

import cv2
import msgspec
import numpy as np
import zarr
from rich.console import Console
from rich.table import Table

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.episode_reader import EpisodeReader
from recorders.images import encode
from recorders.picture_cache import PictureCache
from recorders.store import DemoStore
from recorders.streams import Batch, Column, ImageField, StreamSpec
from recorders.windows import ActionWindow, WindowSampler

SIZES = ((640, 480), (224, 224), (128, 128))        # width, height
CAMERAS = ("front", "wrist")
EPISODES, PICTURES, FPS, JOINTS = 2, 90, 30, 8
STEPS = 16
REPETITIONS, WINDOWS = 7, 25
VISITS = 5                                          # windows per picture in a training
POLICY_SIZE = (128, 96)                             # width, height
OUT = Path("out/bench/reading.json")

# Reads the window at one picture of one episode: (camera -> (2, H, W, 3) u1, (16, 8) actions).
Read = Callable[[int, int], tuple[dict[str, np.ndarray], np.ndarray]]


def footage(size: tuple[int, int], seed: int) -> Iterator[np.ndarray]:
    """A soft scene that a camera sways over, with the noise of a sensor (3 of 255)."""
    width, height = size
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 235, (height // 16 + 8, width // 16 + 8, 3)).astype(np.float32)
    scene = _stretch(_stretch(coarse, 16, 0), 16, 1)
    noise = rng.normal(0, 3, (8, height, width, 3)).astype(np.float32)
    for number in range(PICTURES):
        x, y = int(30 + 25 * np.sin(number / 9)), int(30 + 25 * np.cos(number / 13))
        view = scene[y:y + height, x:x + width] + noise[number % 8]
        yield np.clip(view, 0, 255).astype(np.uint8)


def _stretch(values: np.ndarray, factor: int, axis: int) -> np.ndarray:
    """Linear interpolation along an axis."""
    count = values.shape[axis]
    places = np.arange((count - 1) * factor) / factor
    left = places.astype(int)
    shape = [1] * values.ndim
    shape[axis] = -1
    weight = (places - left).astype(np.float32).reshape(shape)
    return values.take(left, axis) * (1 - weight) + values.take(left + 1, axis) * weight


def action_at(number: int) -> np.ndarray:
    """(JOINTS,) the action recorded with a picture."""
    return np.full(JOINTS, number / FPS, np.float32)


def record_tandem(root: Path, size: tuple[int, int]) -> None:
    """Record with our writer: two cameras, and the control loop's commands at 100 Hz."""
    width, height = size
    cameras = [StreamSpec(name=name, rate_hz=FPS, images=(
        ImageField(name="rgb", height=height, width=width, encoding="jpeg"),)) for name in CAMERAS]
    tick = StreamSpec(name="tick", rate_hz=100, columns=(
        Column(name="sent", dtype="<f8", shape=(JOINTS,)),))
    with DemoStore.open(root, write=True, create=True, clock=ManualClock()) as store:
        for episode in range(EPISODES):
            writer = store.begin(EpisodeHeader(
                episode=new_episode_id(NS_PER_S, f"{episode:08x}"), task="t", instruction="t",
                seed=0, operator="", practice=False, robot={}, model_xml="", started_mono_ns=0,
                started_wall_ns=0, streams=(*cameras, tick), software={}))
            for number, camera in enumerate(cameras):
                for row, picture in enumerate(footage(size, 10 * episode + number)):
                    rows = np.zeros(1, camera.row_dtype)
                    rows["t_mono_ns"], rows["seq"] = round(row * NS_PER_S / FPS), row
                    writer.append(Batch(camera.name, rows, ({"rgb": encode(picture, "jpeg")},)))
            rows = np.zeros(PICTURES * 100 // FPS, tick.row_dtype)
            rows["t_mono_ns"] = np.arange(len(rows)) * (NS_PER_S // 100)
            rows["sent"] = rows["t_mono_ns"][:, None] / NS_PER_S
            writer.append(Batch("tick", rows))
            writer.commit(PICTURES * NS_PER_S // FPS)


def record_lerobot(root: Path, size: tuple[int, int]) -> None:
    """Record with LeRobot's writer and its default video encoding."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    width, height = size
    joints = [f"joint{number}" for number in range(JOINTS)]
    features = {f"observation.images.{camera}": {
        "dtype": "video", "shape": (height, width, 3), "names": ["height", "width", "channels"]}
        for camera in CAMERAS}
    features["action"] = {"dtype": "float32", "shape": (JOINTS,), "names": joints}
    dataset = LeRobotDataset.create("local/reading", fps=FPS, features=features, root=root,
                                    streaming_encoding=True)
    for episode in range(EPISODES):
        both = zip(*(footage(size, 10 * episode + n) for n in range(len(CAMERAS))), strict=True)
        for number, pictures in enumerate(both):
            frame = {f"observation.images.{camera}": picture
                     for camera, picture in zip(CAMERAS, pictures, strict=True)}
            dataset.add_frame(frame | {"action": action_at(number), "task": "t"})
        dataset.save_episode()
    dataset.finalize()


def tandem_reader(root: Path, pool: ThreadPoolExecutor | None = None,
                  cache: PictureCache | None = None) -> Read:
    """Our sampler; without a cache unless one is given."""
    store = DemoStore.open(root)
    episodes = [EpisodeReader(store.episode_path(number)) for number in range(EPISODES)]
    sampler = WindowSampler(episodes, images=dict.fromkeys(CAMERAS, "rgb"), frames=2,
                            actions=ActionWindow(steps=STEPS, step_s=1 / FPS), pool=pool,
                            cache=cache or PictureCache(0))

    def read(episode: int, picture: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        window = sampler[episode * PICTURES + picture]
        assert window.actions is not None
        return window.images, window.actions
    return read


def zarr_reader(root: Path) -> Read:
    """zarr-python on our store; stamps and actions are held in memory, as our reader holds them."""
    store = DemoStore.open(root)
    groups = [zarr.open_group(store.episode_path(n), mode="r") for n in range(EPISODES)]
    arrays = [{camera: zarr.open_array(store.episode_path(n) / camera / "rgb", mode="r")
               for camera in CAMERAS} for n in range(EPISODES)]
    ticks = [(np.asarray(group["tick/t_mono_ns"]), np.asarray(group["tick/sent"]))
             for group in groups]

    def read(episode: int, picture: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        images = {camera: np.asarray(array[picture - 1:picture + 1])
                  for camera, array in arrays[episode].items()}
        stamps_ns, sent = ticks[episode]
        wanted_ns = (picture + np.arange(STEPS)) * NS_PER_S // FPS
        rows = np.minimum(np.searchsorted(stamps_ns, wanted_ns), len(sent) - 1)
        return images, sent[rows]
    return read


def lerobot_reader(root: Path, return_uint8: bool) -> Read:
    """LeRobot's dataset with torchcodec, as a policy's training would ask it."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    keys = {camera: f"observation.images.{camera}" for camera in CAMERAS}
    asked = {key: [-1 / FPS, 0.0] for key in keys.values()}
    dataset = LeRobotDataset(
        "local/reading", root=root, video_backend="torchcodec", return_uint8=return_uint8,
        delta_timestamps=asked | {"action": [step / FPS for step in range(STEPS)]})

    def read(episode: int, picture: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        item = dataset[episode * PICTURES + picture]
        assert isinstance(item, dict)
        return {camera: item[key].numpy() for camera, key in keys.items()}, item["action"].numpy()
    return read


def require_same_footage(readers: dict[str, Read], size: tuple[int, int]) -> None:
    """All sides must show the recorded pictures and actions before anything is timed."""
    original = list(footage(size, 10))
    for name, read in readers.items():
        images, actions = read(1, 40)
        shown = images["front"][1]
        if shown.shape[0] == 3:                         # LeRobot: (3, H, W)
            shown = shown.transpose(1, 2, 0)
        shown = shown * 255.0 if shown.dtype == np.float32 else shown
        error = float(np.sqrt(np.mean((shown.astype(float) - original[40]) ** 2)))
        if images["front"].shape[0] != 2 or error > 8:
            raise SystemExit(f"{name} does not show the recorded footage (error {error:.1f})")
        if actions.shape != (STEPS, JOINTS) or abs(float(actions[3, 0]) - 43 / FPS) > 0.011:
            raise SystemExit(f"{name} does not give the recorded actions")


def take_turns(readers: dict[str, Read]) -> dict[str, dict[str, list[float]]]:
    """Milliseconds per window, wall and CPU of all threads, one figure per repetition."""
    rng = np.random.default_rng(0)
    times: dict[str, dict[str, list[float]]] = {n: {"wall_ms": [], "cpu_ms": []} for n in readers}
    for _ in range(REPETITIONS):
        moments = [(int(rng.integers(EPISODES)), int(rng.integers(1, PICTURES)))
                   for _ in range(WINDOWS)]
        for name, read in readers.items():
            read(*moments[0])                           # caches and threads are warm again
            wall, cpu = time.perf_counter(), time.process_time()
            for episode, picture in moments:
                read(episode, picture)
            times[name]["wall_ms"].append((time.perf_counter() - wall) / WINDOWS * 1e3)
            times[name]["cpu_ms"].append((time.process_time() - cpu) / WINDOWS * 1e3)
    return times


def made_small(picture: np.ndarray) -> np.ndarray:
    """A picture as the policy wants it."""
    if picture.shape[0] == 3:                           # LeRobot: (3, H, W) in 0..1
        picture = picture.transpose(1, 2, 0)
    return cv2.resize(picture, POLICY_SIZE, interpolation=cv2.INTER_AREA)


def train(ours: Path, rivals: dict[str, Read]) -> dict[str, dict[str, list[float]]]:
    """Milliseconds per window of a training from a cold start, wall and CPU of all threads."""
    rng = np.random.default_rng(1)
    names = ["tandem", *rivals]
    times: dict[str, dict[str, list[float]]] = {n: {"wall_ms": [], "cpu_ms": []} for n in names}
    for _ in range(REPETITIONS):
        readers = {"tandem": tandem_reader(ours, cache=PictureCache(prepare=made_small)), **rivals}
        for name, read in readers.items():
            # A rival's windows all cost the same, so a few tell; ours get cheaper and cheaper.
            windows = VISITS * EPISODES * PICTURES if name == "tandem" else WINDOWS
            moments = [(int(rng.integers(EPISODES)), int(rng.integers(1, PICTURES)))
                       for _ in range(windows)]
            wall, cpu = time.perf_counter(), time.process_time()
            for episode, picture in moments:
                images, _ = read(episode, picture)
                if name != "tandem":
                    for pictures in images.values():
                        for one in pictures:
                            made_small(one)
            times[name]["wall_ms"].append((time.perf_counter() - wall) / windows * 1e3)
            times[name]["cpu_ms"].append((time.process_time() - cpu) / windows * 1e3)
    return times


def spread(values: list[float], digits: int = 2) -> str:
    """min / median / max."""
    middle = statistics.median(values)
    return f"{min(values):.{digits}f}/{middle:.{digits}f}/{max(values):.{digits}f}"


def ratios(slower: list[float], faster: list[float]) -> list[float]:
    """How many times as long, repetition by repetition: the machine's load changes between them."""
    return [s / f for s, f in zip(slower, faster, strict=True)]


def main() -> None:
    """Measure all sizes and the opening, print, and write the JSON."""
    logging.disable(logging.WARNING)
    console = Console(width=150)        # the table needs it, also when it goes into a file
    table = Table("pictures", "reader", "wall ms a window", "CPU ms a window",
                  "lerobot takes (wall)", "(CPU)", "zarr takes (wall)", "(CPU)",
                  title=f"Random windows: 2 frames x {len(CAMERAS)} cameras + {STEPS} actions; "
                        f"min/median/max of {REPETITIONS}; 'takes' counts in times of the row")
    results: dict[str, object] = {}
    with (tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool):
        os.environ["HF_DATASETS_CACHE"] = f"{folder}/cache"
        for size in SIZES:
            name = f"{size[0]}x{size[1]}"
            ours, theirs = Path(folder, name, "tandem"), Path(folder, name, "lerobot")
            console.print(f"recording {name} footage with both writers …", highlight=False)
            ours.parent.mkdir()
            record_tandem(ours, size)
            record_lerobot(theirs, size)
            readers = {"tandem": tandem_reader(ours),
                       "tandem, 2 threads": tandem_reader(ours, pool),
                       "zarr-python": zarr_reader(ours),
                       "lerobot": lerobot_reader(theirs, return_uint8=False),
                       "lerobot uint8": lerobot_reader(theirs, return_uint8=True)}
            require_same_footage(readers, size)
            rivals = {name: readers[name] for name in ("zarr-python", "lerobot", "lerobot uint8")}
            for what, times in ((name, take_turns(readers)),
                                (f"training on {name}", train(ours, rivals))):
                for reader, measured in times.items():
                    slower = [spread(ratios(times[other][kind], measured[kind]), 1)
                              for other in ("lerobot", "zarr-python") for kind in measured]
                    table.add_row(what, reader, spread(measured["wall_ms"]),
                                  spread(measured["cpu_ms"]), *slower)
                results[what] = times
    console.print(table)
    machine = {"python": sys.version.split()[0], "processor": platform.machine(),
               "cores": os.cpu_count(), "load_average": os.getloadavg(),
               "repetitions": REPETITIONS, "windows_per_repetition": WINDOWS}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(json.dumps(
        {"machine": machine, "windows": results}).encode()))
    console.print(f"written to {OUT}", highlight=False)


if __name__ == "__main__":
    main()
