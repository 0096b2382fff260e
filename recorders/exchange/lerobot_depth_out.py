"""Depth on its way into a LeRobot table: files, some frames at a time.

Two minutes of a depth camera are more than a column of one piece can hold (2 GiB), and more than
should lie in memory; so an episode is handed out in groups of frames. Knows pictures and their
statistics; knows no table.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from recorders.exchange import depth
from recorders.exchange import lerobot_stats as stats
from recorders.store_errors import StoreError

GROUP_BYTES = 128 << 20     # a group is full with so many: far from what a column can hold


class DepthOut:
    """The depth of one episode.

    Args:
        pictures: feature to its pictures, (H, W) u2 counts.
        units: feature to the camera's unit, "0.001 m".
    """

    def __init__(self, pictures: Mapping[str, Iterator[np.ndarray]], units: Mapping[str, str]
                 ) -> None:
        self._pictures, self._units = pictures, units
        self._looked = {key: stats.PictureStats(1, _worth(units[key])) for key in pictures}

    def groups(self, frames: int) -> Iterator[tuple[slice, dict[str, list[bytes]]]]:
        """The episode's frames in order: which ones, and feature to their files.

        Without any depth that is one group.

        Raises:
            StoreError: a camera gave another number of pictures than there are frames.
        """
        begin = 0
        while begin < frames:
            files: dict[str, list[bytes]] = {key: [] for key in self._pictures}
            end, size = begin, 0
            while end < frames and size < GROUP_BYTES:
                for key, kept in files.items():
                    kept.append(self._next(key, end, frames))
                    size += len(kept[-1])
                end += 1
            yield slice(begin, end), files
            begin = end
        for key, left in self._pictures.items():
            if next(left, None) is not None:
                raise StoreError(f"'{key}' gave more than {frames} pictures for {frames} frames: "
                                 f"nothing was exported")

    def stats(self) -> dict[str, stats.Stats]:
        """Of what was handed out, in the unit that LeRobot is told."""
        return {key: looked.result() for key, looked in self._looked.items()}

    def _next(self, key: str, number: int, frames: int) -> bytes:
        picture = next(self._pictures[key], None)
        if picture is None:
            raise StoreError(f"'{key}' gave {number} pictures for {frames} frames: nothing was "
                             f"exported")
        self._looked[key].add(picture[..., None])
        return depth.as_tiff(depth.outgoing(picture, self._units[key]))


def _worth(unit: str) -> np.ndarray:
    """What every count means to LeRobot."""
    return depth.outgoing(np.arange(1 << 16, dtype=np.uint16), unit).astype(np.float64)
