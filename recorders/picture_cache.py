"""Decoded pictures kept in memory, because training sees every picture many times.

Decoding is nine tenths of the cost of a training window, and a store that one trains on at the desk
is small: twenty demonstrations of ten seconds at 128 x 128 pixels fit into 0.6 GB. The cache knows
how much memory it may use and which pictures it has; what is to be done with a picture before it is
kept (making it as small as the policy wants it, above all) it is given.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import numpy as np

from recorders.shard_reader import FrameReader

Prepare = Callable[[np.ndarray], np.ndarray]

DEFAULT_BYTES = 2 << 30     # 40,000 pictures of 128 px; a desk's computer has 8 GiB or more


class PictureCache:
    """Keeps the pictures that were read, up to a number of bytes. Safe to use from threads.

    The picture that came first goes first: windows are drawn at random, so no picture is more
    likely to come back than another, and new episodes find room.

    Attributes:
        used_bytes: of the pictures kept now; never above `max_bytes`.
        decoded: how many pictures had to be decoded so far.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES, prepare: Prepare | None = None) -> None:
        """Begin empty.

        Args:
            max_bytes: how much may be kept; 0 keeps nothing.
            prepare: makes what is kept from a decoded picture; every call with the same picture
                must give the same, so no augmentation.
        """
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self.decoded = 0
        self._prepare = prepare
        self._kept: OrderedDict[tuple[FrameReader, int], np.ndarray] = OrderedDict()
        self._lock = Lock()

    def read(self, frames: FrameReader, row: int) -> np.ndarray:
        """The picture of a row, prepared; read-only, decoded only if it is not kept.

        Raises:
            IndexError, DamagedRecording: as `FrameReader` does; nothing is kept then.
        """
        key = (frames, row)
        picture = self._kept.get(key)
        if picture is None:
            picture = frames[row]               # outside the lock: others decode meanwhile
            if self._prepare:
                picture = np.ascontiguousarray(self._prepare(picture))
            picture.flags.writeable = False
            self._keep(key, picture)
        return picture

    def _keep(self, key: tuple[FrameReader, int], picture: np.ndarray) -> None:
        with self._lock:
            self.decoded += 1
            if key in self._kept or picture.nbytes > self.max_bytes:
                return
            while self.used_bytes + picture.nbytes > self.max_bytes:
                _, oldest = self._kept.popitem(last=False)
                self.used_bytes -= oldest.nbytes
            self._kept[key] = picture
            self.used_bytes += picture.nbytes
