"""The footage, the readers that are compared on it, and what they must all show.

Every side reads what its own writer recorded with its defaults (ours: JPEG 95, with a reduced copy
beside large pictures; LeRobot 0.6.1: AV1 with a key frame every second picture). zarr-python reads
our store, and the same arrays of it that our own reader reads.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("SVT_LOG", "1")       # the AV1 encoder is talkative

import cv2
import numpy as np
import zarr

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.episode_reader import EpisodeReader
from recorders.picture_cache import PictureCache
from recorders.picture_pair import encode_colours
from recorders.reduced_pictures import with_reduced
from recorders.store import DemoStore
from recorders.streams import Batch, Column, ImageField, StreamSpec
from recorders.windows import ActionWindow, WindowSampler

CAMERAS = ("front", "wrist")
EPISODES, PICTURES, FPS, JOINTS = 2, 90, 30, 8
STEPS = 16
POLICY_SIZE = (128, 96)                             # width, height
LEAST_DB = 28.0

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
    cameras = [StreamSpec(name=name, rate_hz=FPS, images=with_reduced(
        ImageField(name="rgb", height=height, width=width, encoding="jpeg"))) for name in CAMERAS]
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
                    writer.append(Batch(camera.name, rows, (
                        encode_colours(picture, "rgb", camera.images),)))
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
                  cache: PictureCache | None = None, *, small: bool = False) -> Read:
    """Our sampler; without a cache unless one is given; `small`: as for the policy."""
    store = DemoStore.open(root)
    episodes = [EpisodeReader(store.episode_path(number)) for number in range(EPISODES)]
    sampler = WindowSampler(episodes, images=dict.fromkeys(CAMERAS, "rgb"), frames=2,
                            actions=ActionWindow(steps=STEPS, step_s=1 / FPS), pool=pool,
                            size=(POLICY_SIZE[1], POLICY_SIZE[0]) if small else None,
                            cache=cache or PictureCache(0))

    def read(episode: int, picture: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        window = sampler[episode * PICTURES + picture]
        assert window.actions is not None
        return window.images, window.actions
    return read


def zarr_reader(root: Path, *, small: bool = False) -> Read:
    """zarr-python on our store; stamps and actions are held in memory, as our reader holds them.

    Args:
        root: of the store.
        small: read the reduced copies, where there are some.
    """
    store = DemoStore.open(root)
    groups = [zarr.open_group(store.episode_path(n), mode="r") for n in range(EPISODES)]
    name = "rgb_small" if small and "front/rgb_small" in groups[0] else "rgb"
    arrays = [{camera: zarr.open_array(store.episode_path(n) / camera / name, mode="r")
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


def made_small(picture: np.ndarray) -> np.ndarray:
    """A picture as the policy wants it."""
    if picture.shape[0] == 3:                           # LeRobot: (3, H, W) in 0..1
        picture = picture.transpose(1, 2, 0)
    if picture.shape[1::-1] == POLICY_SIZE:
        return picture
    return cv2.resize(picture, POLICY_SIZE, interpolation=cv2.INTER_AREA)


def require_same(readers: dict[str, Read], size: tuple[int, int], *, small: bool
                 ) -> dict[str, float]:
    """All sides must show the recorded pictures and actions before anything is timed.

    Args:
        readers: the sides.
        size: (width, height) of the recorded footage.
        small: compare at the policy's size, with the original averaged over areas.

    Returns:
        Reader to its signal-to-noise ratio in dB (PSNR) against the original.
    """
    original = list(footage(size, 10))[40]
    original = made_small(original) if small else original
    found = {}
    for name, read in readers.items():
        images, actions = read(1, 40)
        shown = images["front"][1]
        if small:
            shown = made_small(shown)
        elif shown.shape[0] == 3:                       # LeRobot: (3, H, W)
            shown = shown.transpose(1, 2, 0)
        shown = shown * 255.0 if shown.dtype == np.float32 else shown
        error = np.mean((shown.astype(float) - original) ** 2)
        found[name] = float(10 * np.log10(255 ** 2 / error))
        if images["front"].shape[0] != 2 or found[name] < LEAST_DB:
            raise SystemExit(f"{name} does not show the recorded footage ({found[name]:.1f} dB)")
        if actions.shape != (STEPS, JOINTS) or abs(float(actions[3, 0]) - 43 / FPS) > 0.011:
            raise SystemExit(f"{name} does not give the recorded actions")
    return found
