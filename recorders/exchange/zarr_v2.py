"""Writes Zarr version 2 groups, row by row, into a folder or a .zip file.

zarr 2.12 and 2.16, which diffusion_policy and UMI pin, know neither version 3 nor newer codecs'
settings, so what is written here is the plain specification of version 2. Rows are appended; how
many there are is written at the end. Reading is zarr-python's business.
Source: zarr-specs, docs/v2/v2.0.rst.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

Encode = Callable[[np.ndarray], bytes]


class Sink:
    """A folder, or a .zip file, that takes files by name. Close it.

    Args:
        path: ends with ".zip" for a file; anything else is a folder.
        packed: whether it is a .zip file.
    """

    def __init__(self, path: Path, packed: bool) -> None:
        self._path = path
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) if packed else None

    def put(self, name: str, data: bytes) -> None:
        """Store a file."""
        if self._zip is not None:
            return self._zip.writestr(name, data)
        file = self._path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def put_json(self, name: str, value: Any) -> None:
        """Store a JSON file."""
        self.put(name, msgspec.json.format(msgspec.json.encode(value), indent=4))

    def group(self, name: str) -> None:
        """Make a group."""
        self.put_json(f"{name}/.zgroup" if name else ".zgroup", {"zarr_format": 2})

    def close(self) -> None:
        """End the .zip file."""
        if self._zip is not None:
            self._zip.close()


class PictureArray:
    """Pictures, one in a chunk.

    Args:
        sink: where.
        name: of the array.
        codec: as Zarr names it, with its settings.
        encode: a picture's bytes by this codec.
    """

    def __init__(self, sink: Sink, name: str, codec: dict[str, Any], encode: Encode) -> None:
        self._sink, self._name, self._codec, self._encode = sink, name, codec, encode
        self._count = 0
        self._like: np.ndarray | None = None

    def add(self, picture: np.ndarray) -> None:
        """Append a picture."""
        self._like = picture
        self._sink.put(f"{self._name}/{'.'.join([str(self._count), *'0' * picture.ndim])}",
                       self._encode(picture))
        self._count += 1

    def close(self) -> int:
        """Say how many there are."""
        if self._like is not None:
            shape = self._like.shape
            self._sink.put_json(f"{self._name}/.zarray", _described(
                (self._count, *shape), (1, *shape), self._like.dtype, self._codec))
        return self._count


def put_array(sink: Sink, name: str, values: np.ndarray) -> None:
    """Store an array as one uncompressed chunk."""
    array = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    sink.put_json(f"{name}/.zarray", _described(array.shape, array.shape, array.dtype, None))
    sink.put(f"{name}/{'.'.join('0' * array.ndim)}", array.tobytes())


def _described(shape: tuple[int, ...], chunks: tuple[int, ...], dtype: np.dtype,
               codec: dict[str, Any] | None) -> dict[str, Any]:
    return {"zarr_format": 2, "shape": shape, "chunks": chunks, "dtype": dtype.str,
            "compressor": codec, "fill_value": 0, "order": "C", "filters": None}
