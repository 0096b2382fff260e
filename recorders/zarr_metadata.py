"""The zarr.json files of a store, written by hand.

Creating an array with zarr-python costs milliseconds, and an episode has dozens of them; the same
file as a few hundred bytes of JSON costs microseconds and is the same on every machine. What it
says means exactly what zarr-python would have written (a test compares the two). This file knows
the layout of FORMAT.md and makes bytes; it touches no files.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recorders.episode import plain
from recorders.images import picture_dtype, zarr_codecs
from recorders.streams import STAMP_COLUMNS, Column, ImageField, StreamSpec

CHUNK_ROWS = 4096           # 32 kB of a scalar f8: small enough to append, big enough to compress
PICTURES_PER_SHARD = 256    # 8.5 s of a camera: few files, and little to seal at the end
ZSTD_LEVEL = 1

_LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
_BYTES = {"name": "bytes"}                      # one-byte types have no byte order
_ZSTD = {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": False}}
_CRC32C = {"name": "crc32c"}


def group_json(attributes: dict[str, Any]) -> bytes:
    """The zarr.json of a group."""
    return _encode({"zarr_format": 3, "node_type": "group", "attributes": attributes})


def columns_of(spec: StreamSpec) -> tuple[Column, ...]:
    """All columns of a stream: the stamps, then its own."""
    stamps = tuple(Column(name=name, dtype=dtype, unit="" if name == "seq" else "ns")
                   for name, dtype in STAMP_COLUMNS)
    return (*stamps, *spec.columns)


def column_json(column: Column, rows: int) -> bytes:
    """The zarr.json of a column with a number of rows."""
    dtype = np.dtype(column.dtype)
    if len(column.shape) == 1:
        axes = [f"{column.name}_axis"]
    else:
        axes = [f"{column.name}_axis{i}" for i in range(len(column.shape))]
    said = {"unit": column.unit, "names": list(column.names), "values": list(column.values)}
    return _encode(_array(
        shape=(rows, *column.shape), chunk=(CHUNK_ROWS, *column.shape), dtype=dtype,
        codecs=[_byte_order(dtype), _ZSTD, _CRC32C], dimensions=["row", *axes],
        attributes={key: value for key, value in said.items() if value}))


def image_json(image: ImageField, rows: int) -> bytes:
    """The zarr.json of an image array with a number of pictures."""
    shape = picture_shape(image)
    axes = ["y", "x", "channel"][:len(shape)]
    sharding = {"name": "sharding_indexed", "configuration": {
        "chunk_shape": [1, *shape],
        "codecs": [*zarr_codecs(image.encoding, fine_colours=bool(image.reduced_from)), _CRC32C],
        "index_codecs": [_LITTLE, _CRC32C],
        "index_location": "start",
    }}
    return _encode(_array(
        shape=(rows, *shape), chunk=(PICTURES_PER_SHARD, *shape),
        dtype=picture_dtype(image.encoding), codecs=[sharding],
        dimensions=["row", *(f"{image.name}_{axis}" for axis in axes)],
        attributes=image_attributes(image)))


def image_attributes(image: ImageField) -> dict[str, Any]:
    """What an image array says about itself, where there is something to say."""
    unit = {"unit": image.unit} if image.unit else {}
    copy = {"reduced_from": image.reduced_from, "factor": image.factor}
    return unit | (copy if image.reduced_from else {})


def picture_shape(image: ImageField) -> tuple[int, ...]:
    """(H, W) of depth, (H, W, 3) of colour."""
    size = (image.height, image.width)
    return size if image.encoding == "zstd" else (*size, 3)


def chunk_path(array: Path, number: int, axes: int) -> Path:
    """The file of an array's chunk or shard, counted along the rows.

    Args:
        array: the folder of the array.
        number: of the chunk.
        axes: how many dimensions the array has, rows included.
    """
    return array.joinpath("c", str(number), *["0"] * (axes - 1))


def _array(
    *, shape: tuple[int, ...], chunk: tuple[int, ...], dtype: np.dtype, codecs: list[Any],
    dimensions: list[str], attributes: dict[str, Any],
) -> dict[str, Any]:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunk)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": np.zeros((), dtype).item(),
        "codecs": codecs,
        "attributes": attributes,
        "dimension_names": dimensions,
        "storage_transformers": [],
    }


def _byte_order(dtype: np.dtype) -> dict[str, Any]:
    return _LITTLE if dtype.itemsize > 1 else _BYTES


def _encode(metadata: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(metadata, enc_hook=plain), indent=2) + b"\n"
