"""Shards of an interrupted episode, made readable in place.

The journal says where each picture lies; the shards hold them, under `.partial` names or sealed.
This file checks every picture against its checksum, says from which row on they are lost, and
gives each shard its index. It moves no picture and needs no disk space.
"""

import os
from pathlib import Path

import google_crc32c
import numpy as np

from recorders.files import fsync_path, partial_of
from recorders.journal import Placement
from recorders.shard_writer import (
    CRC_BYTES,
    INDEX_BYTES,
    decode_index,
    empty_index,
    encode_index,
)
from recorders.zarr_metadata import PICTURES_PER_SHARD, chunk_path


def sound_pictures(array: Path, axes: int, placements: list[Placement]) -> np.ndarray:
    """Which pictures of an image array can be read.

    Args:
        array: the folder of the array.
        axes: how many dimensions it has.
        placements: one per row, in order.

    Returns:
        (N,) bool.
    """
    sound = np.zeros(len(placements), bool)
    for number, first in enumerate(range(0, len(placements), PICTURES_PER_SHARD)):
        file = _existing(chunk_path(array, number, axes))
        if file is None:
            continue
        with file.open("rb") as shard:
            for row, placed in enumerate(placements[first:first + PICTURES_PER_SHARD], first):
                shard.seek(placed.offset)
                data = shard.read(placed.size + CRC_BYTES)
                sound[row] = (
                    len(data) == placed.size + CRC_BYTES
                    and google_crc32c.value(data[:-CRC_BYTES]) == placed.crc
                    and data[-CRC_BYTES:] == placed.crc.to_bytes(CRC_BYTES, "little"))
    return sound


def seal_again(array: Path, axes: int, placements: list[Placement]) -> None:
    """Give every shard of an array the index that the journal says, and its final name.

    Shards and pictures behind the last placement are removed. Harmless where all is well.
    """
    shards = -(-len(placements) // PICTURES_PER_SHARD)
    for number in range(shards):
        first = number * PICTURES_PER_SHARD
        _seal(chunk_path(array, number, axes), placements[first:first + PICTURES_PER_SHARD])
    behind = chunk_path(array, shards, axes)
    while (file := _existing(behind)) is not None:
        file.unlink()
        shards += 1
        behind = chunk_path(array, shards, axes)


def _seal(path: Path, placements: list[Placement]) -> None:
    index = empty_index()
    for slot, placed in enumerate(placements):
        index[slot] = placed.offset, placed.size + CRC_BYTES
    end = max((placed.offset + placed.size + CRC_BYTES for placed in placements),
              default=INDEX_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(_existing(path) or partial_of(path), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        size = os.fstat(file).st_size
        # Slots whose bytes are not there at all would make the whole shard unreadable.
        index[index.sum(axis=1, dtype="<u8") > size] = empty_index()[0]
        present = decode_index(os.pread(file, INDEX_BYTES, 0))
        if present is None or (present != index).any():
            os.pwrite(file, encode_index(index), 0)
        if size > end:
            os.ftruncate(file, end)
        os.fsync(file)
    finally:
        os.close(file)
    if not path.exists():
        partial_of(path).rename(path)
    fsync_path(path.parent)


def _existing(path: Path) -> Path | None:
    for candidate in (path, partial_of(path)):
        if candidate.exists():
            return candidate
    return None
