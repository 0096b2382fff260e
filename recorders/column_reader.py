"""Whole columns of a recording, straight from their chunk files.

A column is a small array (thousands of rows) that a trainer wants in memory at once: one read,
one zstd call, no zarr-python. It knows FORMAT.md's chunk encoding of columns and refuses others.
"""

from math import prod
from pathlib import Path

import imagecodecs
import numpy as np

from recorders.array_layout import ArrayLayout, DamagedRecording, UnknownLayout, read_layout
from recorders.checksums import split_checksum

_KNOWN = (("bytes",), ("bytes", "zstd"), ("bytes", "zstd", "crc32c"), ("bytes", "crc32c"))


def read_column(folder: Path) -> np.ndarray:
    """Read a whole column.

    Args:
        folder: of the Zarr array.

    Returns:
        (N, …) read-only.

    Raises:
        DamagedRecording: naming the file that cannot be read.
        UnknownLayout: if the array is encoded otherwise than FORMAT.md says.
    """
    return column_of(read_layout(folder))


def column_of(layout: ArrayLayout) -> np.ndarray:
    """Read the whole column that a layout describes; see `read_column`."""
    codecs = tuple(codec["name"] for codec in layout.codecs)
    if codecs not in _KNOWN:
        raise UnknownLayout(f"{layout.folder}: codecs {codecs}; known are {_KNOWN}")
    column = np.empty(layout.shape, layout.dtype)
    for number in range(layout.row_chunks):
        first = number * layout.chunk[0]
        _read_chunk(layout, codecs, number, column[first:first + layout.chunk[0]])
    column.flags.writeable = False
    return column


def _read_chunk(
    layout: ArrayLayout, codecs: tuple[str, ...], number: int, out: np.ndarray
) -> None:
    file = layout.chunk_file(number)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        out[...] = layout.fill      # Zarr: a chunk that is not there holds only fill values
        return
    try:
        if codecs[-1] == "crc32c":
            data = split_checksum(data)
        if "zstd" in codecs:
            data = imagecodecs.zstd_decode(data, out=prod(layout.chunk) * layout.dtype.itemsize)
        # The last chunk is stored whole, filled up behind the last row.
        out[...] = np.frombuffer(data, layout.dtype).reshape(layout.chunk)[:len(out)]
    except (ValueError, RuntimeError) as error:
        raise DamagedRecording(f"{file} is damaged: {error}") from error
