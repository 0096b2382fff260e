"""The two recorders that are compared, behind one small surface.

Ours is the real chain: pictures encoded in the camera's thread with their reduced copies, handed to
`RecorderClient`, through the bus to the recorder's process, into a store. LeRobot's is
`LeRobotDataset` as `lerobot-record` makes it: four image-writer threads a camera, or
`streaming_encoding=True`; everything else by default. Both get the same pictures and the same
numbers; LeRobot, which knows one rate, gets the 100 Hz rows of a frame side by side in one vector.
"""

import logging
import os
import resource
import secrets
import time
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import psutil
from footage import FPS, HEIGHT, WIDTH, Work

from recorders.clock import NS_PER_S, SystemClock
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.episode_reader import EpisodeReader
from recorders.picture_pair import encode_colours
from recorders.reduced_pictures import with_reduced
from recorders.store import DemoStore
from recorders.streams import STAMP_COLUMNS, Batch, ImageField, StreamSpec
from studio.station.processes.bus import open_context, private_endpoints
from studio.station.processes.supervisor import Supervisor, WorkerSpec
from studio.station.recording.record_link import RecorderClient
from studio.station.recording.recorder import RecorderConfig

CAMERAS = ("front", "wrist")
TASK = "put the red cube in the bin"
PATIENCE_S = 60.0
ROWS_PER_FRAME = 4          # 100 Hz over 30 Hz, rounded up


class Stopped(msgspec.Struct, frozen=True):
    """What ending an episode took, and what is there afterwards."""

    commit_s: float             # from "stop" to "committed"
    finalize_s: float           # LeRobot: closing the dataset, without which it cannot be read
    frames: int                 # pictures that can be read back, all cameras together
    bytes: int                  # on disk


class Side(Protocol):
    """A recorder under test."""

    def work_of(self, camera: str) -> Work:
        """What is done in a camera's thread with a picture."""
        ...

    def begin(self, start_ns: int) -> None:
        """Open an episode."""
        ...

    def hand_over(self, rows: dict[str, np.ndarray],
                  pictures: list[list[object]]) -> bool:
        """What the control thread does in a tick: rows of each stream, new pictures by camera.

        Returns:
            Whether something was handed over, so that the time counts.
        """
        ...

    def look(self) -> None:
        """Ask how the recorder is doing, as the control thread does in every tick."""
        ...

    def stop(self) -> Stopped:
        """End the episode and wait until it is committed."""
        ...

    def cpu_s(self) -> float:
        """User and system time so far, of this process and its children."""
        ...


class TandemSide:
    """Our recorder, in a process of its own."""

    def __init__(self, folder: Path, streams: tuple[StreamSpec, ...]) -> None:
        self._store = folder / "store"
        self._cameras = tuple(StreamSpec(name=name, rate_hz=FPS, images=with_reduced(
            ImageField(name="rgb", height=HEIGHT, width=WIDTH, encoding="jpeg")))
            for name in CAMERAS)
        self._streams = (*streams, *self._cameras)
        self._clock = SystemClock()
        self._links_owner = private_endpoints()
        links = self._links_owner.__enter__()
        self._supervisor = Supervisor(self._clock)
        self._supervisor.start(WorkerSpec(name="recorder", role="recorder", config=RecorderConfig(
            store=str(self._store), links=links)))
        self._supervisor.wait_ready("recorder")
        self._context_owner = open_context()
        self._client = RecorderClient(self._context_owner.__enter__(), links, self._clock)
        self._client.wait_alive(10.0)
        self._recorder = psutil.Process(self._supervisor.states()[0].pid)

    def work_of(self, camera: str) -> Work:
        """Encode, which releases the GIL, and make the batch, as our cameras do."""
        spec = next(spec for spec in self._cameras if spec.name == camera)

        def work(picture: np.ndarray, number: int, stamp_ns: int) -> Batch:
            row = np.zeros(1, spec.row_dtype)
            row["t_mono_ns"], row["seq"] = stamp_ns, number
            return Batch(camera, row, (encode_colours(picture, "rgb", spec.images),))

        return work

    def begin(self, start_ns: int) -> None:
        """Open an episode."""
        wall_ns = self._clock.wall_ns()
        self._episode = new_episode_id(wall_ns, secrets.token_hex(4))
        self._client.begin(EpisodeHeader(
            episode=self._episode, task="bench", instruction=TASK, seed=0, operator="bench",
            practice=False, robot={"name": "bench"}, model_xml="", started_mono_ns=start_ns,
            started_wall_ns=wall_ns, streams=self._streams, software={}))

    def hand_over(self, rows: dict[str, np.ndarray],
                  pictures: list[list[object]]) -> bool:
        """One message to the recorder."""
        batches = [Batch(name, row) for name, row in rows.items()]
        for taken in pictures:
            batches += [batch for batch in taken if isinstance(batch, Batch)]
        self._client.append(tuple(batches))
        return True

    def look(self) -> None:
        """The station asks after the recorder in every tick."""
        self._client.health()

    def stop(self) -> Stopped:
        """Say the end, and wait for the recorder's word that the episode is committed."""
        begun = time.perf_counter()
        self._client.end(self._clock.now_ns(), "success", "", "")
        while (health := self._client.health()).committed == 0:
            if health.error or time.perf_counter() - begun > PATIENCE_S:
                raise SystemExit(f"the recorder failed: {health.error or 'it does not commit'}")
            self._clock.wait_until(self._clock.now_ns() + NS_PER_S // 1000)
        took_s = time.perf_counter() - begun
        episode = EpisodeReader(DemoStore.open(self._store).episode_path(self._episode))
        frames = sum(len(episode[name]["rgb"]) for name in CAMERAS)
        return Stopped(took_s, 0.0, frames, folder_bytes(self._store / "data.zarr"))

    def cpu_s(self) -> float:
        """This process, with the cameras' threads, and the recorder's."""
        recorder = self._recorder.cpu_times()
        return time.process_time() + recorder.user + recorder.system

    def close(self) -> None:
        """End the recorder."""
        self._client.close()
        self._context_owner.__exit__(None, None, None)
        self._supervisor.stop_all()
        self._links_owner.__exit__(None, None, None)


class LerobotSide:
    """LeRobot 0.6.1's dataset writer, in the control loop's own process, as its CLI does it."""

    def __init__(self, folder: Path, streams: tuple[StreamSpec, ...], *, streaming: bool) -> None:
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        logging.disable(logging.WARNING)
        self._root = folder / "lerobot"
        self._width = sum(vector(np.zeros(1, spec.row_dtype)).size for spec in streams)
        features = {f"observation.images.{name}": {
            "dtype": "video", "shape": (HEIGHT, WIDTH, 3), "names": ["height", "width", "channels"]}
            for name in CAMERAS}
        shape = (self._width * ROWS_PER_FRAME,)
        features["observation.state"] = {"dtype": "float32", "shape": shape,
                                         "names": [f"v{i}" for i in range(shape[0])]}
        features["action"] = {"dtype": "float32", "shape": (8,),
                              "names": [f"a{i}" for i in range(8)]}
        self._dataset = LeRobotDataset.create(
            "local/bench", fps=FPS, features=features, root=self._root,
            streaming_encoding=streaming, image_writer_threads=4 * len(CAMERAS))
        self._rows: list[np.ndarray] = []
        self._waiting: list[object] = [None] * len(CAMERAS)

    def work_of(self, camera: str) -> Work:
        """LeRobot's cameras hand over raw pictures."""
        return lambda picture, number, stamp_ns: picture

    def begin(self, start_ns: int) -> None:
        """LeRobot opens an episode with its first frame."""

    def hand_over(self, rows: dict[str, np.ndarray],
                  pictures: list[list[object]]) -> bool:
        """Collect rows; add a frame as soon as both cameras have a new picture."""
        self._rows.append(np.concatenate([vector(row) for row in rows.values()]))
        for camera, taken in enumerate(pictures):
            if taken:
                self._waiting[camera] = taken[-1]
        if any(waiting is None for waiting in self._waiting):
            return False
        block = np.zeros((ROWS_PER_FRAME, self._width), np.float32)
        newest = self._rows[-ROWS_PER_FRAME:]
        block[:len(newest)] = newest
        frame = {f"observation.images.{name}": waiting
                 for name, waiting in zip(CAMERAS, self._waiting, strict=True)}
        self._dataset.add_frame({**frame, "observation.state": block.ravel(), "task": TASK,
                                 "action": newest[-1][:8]})
        self._rows, self._waiting = [], [None] * len(CAMERAS)
        return True

    def look(self) -> None:
        """LeRobot's writer says nothing of itself."""

    def stop(self) -> Stopped:
        """Save the episode, close the dataset, and count the pictures in its videos."""
        import av

        begun = time.perf_counter()
        self._dataset.save_episode()
        saved = time.perf_counter()
        self._dataset.finalize()
        finalized = time.perf_counter()
        frames = 0
        for path in self._root.rglob("*.mp4"):
            with av.open(path) as video:
                frames += sum(packet.size > 0 for packet in video.demux(video=0))
        return Stopped(saved - begun, finalized - saved, frames, folder_bytes(self._root))

    def cpu_s(self) -> float:
        """This process and the encoding processes that have ended."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + ended.ru_utime + ended.ru_stime

    def close(self) -> None:
        """Nothing is left to do: `stop` finalized."""


def make_side(name: str, folder: Path, streams: tuple[StreamSpec, ...]) -> TandemSide | LerobotSide:
    """A side by its name: "tandem", "lerobot" or "lerobot streaming"."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
    os.environ["SVT_LOG"] = "1"     # the AV1 encoder is talkative
    if name == "tandem":
        return TandemSide(folder, streams)
    return LerobotSide(folder, streams, streaming=name == "lerobot streaming")


def vector(row: np.ndarray) -> np.ndarray:
    """A row's own columns, side by side: (n,) f4. LeRobot makes stamps itself."""
    stamps = {name for name, _ in STAMP_COLUMNS}
    return np.concatenate([np.asarray(row[name], np.float32).ravel()
                           for name in row.dtype.names or () if name not in stamps])


def folder_bytes(folder: Path) -> int:
    """Sizes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
