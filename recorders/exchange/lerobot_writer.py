"""Writes a LeRobot dataset of version 3.0: tables, videos, statistics, in LeRobot's own layout.

LeRobot's own writer is made for recording: it keeps pictures as files or waits for encoders between
episodes, works out quantiles of every picture, and cannot write the language columns. Here all is
known beforehand, so every camera has one thread and one encoder for a whole file, and episodes
are laid down one after the other. Torch is not needed.
Refuses to know stores and streams: it takes numbers, texts and pictures.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recorders.exchange import lerobot_layout as layout
from recorders.exchange import lerobot_stats as stats
from recorders.exchange.lerobot_depth_out import DepthOut
from recorders.exchange.lerobot_tables import data_table, write_episodes, write_tasks
from recorders.exchange.videos import Codec, VideoWriter
from recorders.store_errors import StoreError


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of N frames.

    Attributes:
        numbers: feature to (N, …), every feature that is a number and not LeRobot's own.
        tasks: N texts.
        pictures: feature to its N pictures, (H, W, 3) u1, decoded when asked for; of features that
            are kept in the table, (H, W) u2 counts of depth.
        units: feature of depth to the camera's unit, "0.001 m".
        persistent: rows of `language_persistent`, told with every frame.
        events: frame to rows of `language_events`.
    """

    numbers: dict[str, np.ndarray]
    tasks: Sequence[str]
    pictures: dict[str, Iterator[np.ndarray]]
    persistent: Sequence[dict[str, Any]] = ()
    events: dict[int, list[dict[str, Any]]] = {}
    units: dict[str, str] = {}


class LeRobotWriter:
    """A dataset that is being written. Use it as a context; `finish` makes it whole.

    Args:
        folder: where; it is made.
        fps: frames in a second.
        robot: its type, in LeRobot's words.
        features: as in info.json, LeRobot's own columns left out.
        codec: of the videos.
    """

    def __init__(self, folder: Path, fps: int, robot: str | None,
                 features: dict[str, dict[str, Any]], codec: Codec) -> None:
        self.folder = folder
        self.info = layout.Info(codebase_version=layout.VERSION, fps=fps, robot_type=robot,
                                features={**features, **layout.OWN_COLUMNS})
        self._shelves = {key: _Videos(folder, key, fps, features[key]["shape"], codec)
                         for key in self.info.pictures("video")}
        self._pool = ThreadPoolExecutor(max(1, len(self._shelves)), "video")
        self._table: Any = None
        self._place = (0, 0)
        self._tasks: dict[str, int] = {}
        self._episodes: list[dict[str, Any]] = []
        self._stats: list[dict[str, stats.Stats]] = []

    def __enter__(self) -> "LeRobotWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for shelf in self._shelves.values():
            shelf.abandon()
        if self._table is not None:
            with suppress(OSError):     # a full disk; `finish` has closed what shall stay
                self._table.close()

    def add(self, episode: Outgoing) -> None:
        """Append an episode.

        Raises:
            StoreError: if a camera gave another number of pictures than there are frames.
        """
        frames = len(episode.tasks)
        encoding = {key: self._pool.submit(shelf.add, episode.pictures[key], frames)
                    for key, shelf in self._shelves.items()}
        number, first = len(self._episodes), self.info.total_frames
        columns = {**episode.numbers, **self._own_columns(episode.tasks, number, first)}
        of = {key: stats.of_numbers(values) for key, values in columns.items()}
        deep = DepthOut({key: episode.pictures[key] for key in self.info.pictures("image")},
                        episode.units)
        self._write_rows(episode, columns, deep)
        of |= deep.stats()
        places: dict[str, Any] = {}
        for key, done in encoding.items():
            of[key], where = done.result()
            places |= where
        self._stats.append(of)
        self._episodes.append({
            "episode_index": number, "tasks": list(dict.fromkeys(episode.tasks)), "length": frames,
            "data/chunk_index": self._place[0], "data/file_index": self._place[1],
            "dataset_from_index": first, "dataset_to_index": first + frames, **places,
            **{f"stats/{key}/{name}": value for key, all_ in stats.plain(of).items()
               for name, value in all_.items()},
            "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})
        self.info.total_episodes += 1
        self.info.total_frames += frames

    def finish(self) -> layout.Info:
        """Close every file and write what tells of all of them.

        Raises:
            StoreError: if a video holds another number of pictures than there are frames.
        """
        if self._table is not None:
            self._table.close()
        for key, shelf in self._shelves.items():
            self.info.features[key]["info"] = shelf.finish(self.info.total_frames)
        meta = self.folder / "meta"
        meta.mkdir(parents=True, exist_ok=True)
        self.info.total_tasks = len(self._tasks)
        self.info.splits = {"train": f"0:{self.info.total_episodes}"}
        write_tasks(self.folder / layout.TASKS, list(self._tasks))
        write_episodes(self.folder / layout.EPISODES_PATH.format(chunk_index=0, file_index=0),
                       self._episodes)
        everything = {key: stats.together([of[key] for of in self._stats])
                      for key in self._stats[0]} if self._stats else {}
        for name, told in ((layout.STATS, stats.plain(everything)), (layout.INFO, self.info)):
            (self.folder / name).write_bytes(
                msgspec.json.format(msgspec.json.encode(told), indent=4))
        return self.info

    def _own_columns(self, tasks: Sequence[str], number: int, first: int) -> dict[str, np.ndarray]:
        count = np.arange(len(tasks), dtype=np.int64)
        for task in tasks:
            self._tasks.setdefault(task, len(self._tasks))
        return {"timestamp": (count / self.info.fps).astype(np.float32), "frame_index": count,
                "episode_index": np.full(len(tasks), number, np.int64), "index": first + count,
                "task_index": np.array([self._tasks[task] for task in tasks], np.int64)}

    def _write_rows(self, episode: Outgoing, columns: dict[str, np.ndarray], deep: DepthOut
                    ) -> None:
        """A row group for every episode, as LeRobot writes; more where depth would fill memory."""
        self._close_if_full()
        for frames, files in deep.groups(len(episode.tasks)):
            events = {k - frames.start: rows for k, rows in episode.events.items()
                      if frames.start <= k < frames.stop}
            table = data_table(self.info.features, {key: values[frames] for key, values
                                                    in columns.items()},
                               episode.persistent, events, files)
            self._open_table(table.schema).write_table(table)

    def _close_if_full(self) -> None:
        if self._table is not None and self._path().stat().st_size > layout.DATA_FILE_MB << 20:
            self._table.close()
            self._table, self._place = None, layout.next_file(*self._place)

    def _open_table(self, schema: Any) -> Any:
        import pyarrow.parquet as pq

        if self._table is None:
            self._path().parent.mkdir(parents=True, exist_ok=True)
            self._table = pq.ParquetWriter(self._path(), schema, compression="snappy")
        return self._table

    def _path(self) -> Path:
        return self.folder / layout.DATA_PATH.format(chunk_index=self._place[0],
                                                     file_index=self._place[1])


class _Videos:
    """The videos of one camera, one after the other; one thread at a time."""

    def __init__(self, folder: Path, key: str, fps: int, shape: Sequence[int],
                 codec: Codec) -> None:
        self._folder, self._key, self._fps, self._codec = folder, key, fps, codec
        self._height, self._width = int(shape[0]), int(shape[1])
        self._place = (0, 0)
        self._writer: VideoWriter | None = None
        self._paths: list[Path] = []

    def add(self, pictures: Iterator[np.ndarray], frames: int
            ) -> tuple[stats.Stats, dict[str, Any]]:
        """Encode an episode; where it stands, and what its pixels are like."""
        if self._writer is not None and self._writer.bytes > layout.VIDEO_FILE_MB << 20:
            self._writer.close()
            self._writer, self._place = None, layout.next_file(*self._place)
        writer = self._writer = self._writer or self._begin()
        first, looked = writer.frames, stats.PictureStats()
        for picture in pictures:
            writer.add(picture)
            looked.add(picture)
        if writer.frames - first != frames:
            raise StoreError(f"'{self._key}' gave {writer.frames - first} pictures for {frames} "
                             f"frames: nothing was exported")
        at = f"videos/{self._key}"
        return looked.result(), {
            f"{at}/chunk_index": self._place[0], f"{at}/file_index": self._place[1],
            f"{at}/from_timestamp": first / self._fps,
            f"{at}/to_timestamp": writer.frames / self._fps}

    def finish(self, frames: int) -> dict[str, Any]:
        """Close the last file; what info.json says about the videos."""
        import av

        if self._writer is not None:
            self._writer.close()
            self._writer = None
        found, told = 0, {}
        for path in self._paths:
            with av.open(str(path)) as video:
                stream = video.streams.video[0]
                found += stream.frames
                told = {"video.height": stream.height, "video.width": stream.width,
                        "video.codec": stream.codec.canonical_name,
                        "video.pix_fmt": stream.pix_fmt, "video.fps": self._fps,
                        "video.channels": 3, "has_audio": False,
                        **{f"video.{name}": int(value) if value.isdigit() else value
                           for name, value in self._codec.options.items()},
                        "video.fast_decode": 0, "video.video_backend": "pyav",
                        "video.extra_options": {}, "is_depth_map": False}
        if found != frames:
            raise StoreError(f"{found} of {frames} pictures of '{self._key}' were encoded: nothing "
                             f"was exported; is the disk full?")
        return told

    def abandon(self) -> None:
        """Let go of an unfinished file."""
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None

    def _begin(self) -> VideoWriter:
        path = self._folder / layout.VIDEO_PATH.format(
            video_key=self._key, chunk_index=self._place[0], file_index=self._place[1])
        self._paths.append(path)
        return VideoWriter(path, self._fps, self._height, self._width, self._codec)
