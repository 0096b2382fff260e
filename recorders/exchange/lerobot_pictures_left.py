"""Which pictures a crash left of a LeRobot dataset, and to which episode they belong.

Pictures of an episode lie in one of four places: where meta/episodes says; as files that were not
yet made a video; in a video of their own that was not yet appended to the others; or in the videos,
where finished episodes follow each other. Every episode is looked up in this order.
Knows names and counts of pictures; decodes none.
"""

from pathlib import Path
from typing import Any

import msgspec

from recorders.exchange import lerobot_layout as layout
from recorders.exchange.lerobot_reader import VideoSpan, span_of
from recorders.exchange.videos import frames_in
from recorders.store_errors import StoreError


class _Shelf(msgspec.Struct):
    """The videos of one camera, and how far they are given out."""

    files: list[tuple[Path, int]]       # with how many pictures each has
    at: int = 0                         # the file
    first: int = 0                      # the next picture in it
    sure: bool = True                   # whether the next picture is the next episode's first


class PicturesLeft:
    """Gives out pictures episode by episode, in order.

    Args:
        folder: of the dataset.
        info: its info.json.
        lost: gets a sentence for everything that is missing.
    """

    def __init__(self, folder: Path, info: layout.Info, lost: list[str]) -> None:
        self._folder, self._info, self._lost = folder, info, lost
        self._counts: dict[Path, int] = {}
        self._due = 0                   # the episode after the last that was asked for
        self._shelves = {key: _Shelf([(path, self._frames(path)) for path in
                                      sorted((folder / "videos" / key).glob("*/*.mp4"))])
                         for key in info.pictures("video")}

    def of(self, number: int, frames: int, known: dict[str, Any] | None
           ) -> tuple[dict[str, VideoSpan], dict[str, Path]]:
        """Where an episode's pictures lie: in videos, and in folders of files.

        Args:
            number: `episode_index`; episodes are asked for in order.
            frames: its rows.
            known: its row of meta/episodes, if that can be read.
        """
        videos: dict[str, VideoSpan] = {}
        folders: dict[str, Path] = {}
        gap, self._due = number != self._due, number + 1
        for key, shelf in self._shelves.items():
            shelf.sure = shelf.sure and not gap     # how many pictures lie between, nobody says
            span = self._told(key, number, known) or self._own_video(key, number, frames)
            pictures = self._folder / layout.IMAGE_FOLDER.format(key=key, episode=number)
            if span is None and len(layout.frame_files(pictures, frames + 1)) == frames:
                folders[key] = pictures
            elif span := span or self._next(shelf, frames):
                videos[key] = span
            else:
                self._lost.append(f"episode {number}: the pictures of '{layout.camera_of(key)}'")
        return videos, folders

    def remarks(self, recovered: int) -> list[str]:
        """What is left over: of the episode that was being recorded, and pictures too many."""
        said: list[str] = []
        for key, shelf in self._shelves.items():
            over = sum(count for _, count in shelf.files[shelf.at:]) - shelf.first
            if over > 0:
                said.append(f"'{layout.camera_of(key)}' has {over} pictures that belong to no "
                            f"recovered episode")
        for key in self._info.pictures():
            begun = self._folder / layout.IMAGE_FOLDER.format(key=key, episode=recovered)
            if there := len(list(begun.glob("frame-*"))):
                said.append(f"the episode that was being recorded: its rows were in memory only; "
                            f"{there} pictures of '{layout.camera_of(key)}' lie in {begun}")
        if not said and list(self._folder.glob("tmp*")):
            said.append("the episode that was being recorded: its rows were in memory only, and "
                        "its videos have no end")
        return said

    def _told(self, key: str, number: int, known: dict[str, Any] | None) -> VideoSpan | None:
        """Where meta/episodes says, if that many pictures are there."""
        if known is None or known.get(f"videos/{key}/file_index") is None:
            return None
        try:
            span = span_of(self._folder, self._info, key, known)
        except StoreError:
            return None
        if self._frames(span.path) < span.first + span.count:
            return None
        shelf = self._shelves[key]
        paths = [path for path, _ in shelf.files]
        if span.path in paths:
            shelf.at, shelf.first, shelf.sure = (
                paths.index(span.path), span.first + span.count, True)
        return span

    def _own_video(self, key: str, number: int, frames: int) -> VideoSpan | None:
        """A finished video of this episode alone."""
        return next((VideoSpan(path, 0, frames)
                     for path in self._folder.glob(f"tmp*/{key}_{number:03d}.mp4")
                     if self._frames(path, told=False) == frames), None)

    def _next(self, shelf: _Shelf, frames: int) -> VideoSpan | None:
        """The next so many pictures of the videos."""
        while shelf.sure and shelf.at < len(shelf.files):
            path, count = shelf.files[shelf.at]
            if shelf.first + frames <= count:
                span = VideoSpan(path, shelf.first, frames)
                shelf.first += frames
                return span
            if shelf.at + 1 == len(shelf.files):
                return None
            shelf.at, shelf.first = shelf.at + 1, 0
        return None

    def _frames(self, path: Path, told: bool = True) -> int:
        if path not in self._counts:
            try:
                self._counts[path] = frames_in(path)
            except StoreError as error:
                self._counts[path] = 0
                if told:
                    self._lost.append(str(error).split(":")[0])
        return self._counts[path]
