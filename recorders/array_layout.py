"""How one Zarr v3 array of a recording lies on the disk, read from its zarr.json.

Opening an array with zarr-python costs milliseconds; an episode has dozens of them and a trainer
opens thousands of episodes. This file reads the few settings that FORMAT.md allows and names
everything else as unknown, so that a reader never guesses. It reads no data.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np


class DamagedRecording(RuntimeError):
    """A part of a recording cannot be read; the message names the file and what is wrong."""


class UnknownLayout(DamagedRecording):
    """An array is sound Zarr, perhaps, but not laid out as FORMAT.md says."""


class ArrayLayout(msgspec.Struct, frozen=True, kw_only=True):
    """What zarr.json says about an array.

    Attributes:
        folder: where the array lies.
        shape: of the whole array, rows first.
        dtype: of its values, little-endian.
        chunk: the shape of a chunk, or of a shard.
        codecs: as in zarr.json, outermost first.
        fill: what stands where nothing was written.
        attributes: `unit`, `names`, …
    """

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    chunk: tuple[int, ...]
    codecs: tuple[dict[str, Any], ...]
    fill: Any
    attributes: dict[str, Any]

    def chunk_file(self, row_chunk: int) -> Path:
        """The file of the chunk that holds rows row_chunk * chunk[0] and on."""
        zeros = ["0"] * (len(self.shape) - 1)
        return self.folder.joinpath("c", str(row_chunk), *zeros)

    @property
    def row_chunks(self) -> int:
        """How many chunks the rows fill, the last one perhaps in part."""
        return -(-self.shape[0] // self.chunk[0])


def read_layout(folder: Path) -> ArrayLayout:
    """Read an array's zarr.json.

    Raises:
        DamagedRecording: if there is none, or it is no Zarr v3 array.
        UnknownLayout: if it is chunked otherwise than by rows, or is of an unknown type.
    """
    meta = read_metadata(folder)
    if meta.get("node_type") != "array":
        raise DamagedRecording(f"{folder} is no Zarr array but a '{meta.get('node_type')}'")
    try:
        shape = tuple(meta["shape"])
        chunk = tuple(meta["chunk_grid"]["configuration"]["chunk_shape"])
        keys = meta["chunk_key_encoding"]
        dtype = _dtype(meta["data_type"])
        layout = ArrayLayout(
            folder=folder, shape=shape, dtype=dtype, chunk=chunk, codecs=tuple(meta["codecs"]),
            fill=np.array(meta["fill_value"]).astype(dtype)[()],
            attributes=meta.get("attributes", {}))
    except (KeyError, TypeError, ValueError) as error:
        raise UnknownLayout(f"{folder / 'zarr.json'}: {error!r} does not fit FORMAT.md") from error
    if meta["chunk_grid"].get("name") != "regular" or not shape or chunk[1:] != shape[1:]:
        raise UnknownLayout(f"{folder / 'zarr.json'}: chunks of {chunk} in an array of {shape}; "
                            f"only whole rows are known")
    if keys.get("name") != "default" or keys.get("configuration", {}).get("separator", "/") != "/":
        raise UnknownLayout(f"{folder / 'zarr.json'}: chunk keys {keys}; only 'default' with '/' "
                            f"is known")
    return layout


def read_metadata(folder: Path) -> dict[str, Any]:
    """The zarr.json of a group or an array.

    Raises:
        DamagedRecording: if it is missing, or not Zarr v3.
    """
    file = folder / "zarr.json"
    try:
        meta = msgspec.json.decode(file.read_bytes())
    except FileNotFoundError:
        raise DamagedRecording(f"{file} is missing: the recording was moved or is incomplete"
                               ) from None
    except msgspec.DecodeError as error:
        raise DamagedRecording(f"{file} is not JSON: {error}") from error
    if not isinstance(meta, dict) or meta.get("zarr_format") != 3:
        raise DamagedRecording(f"{file} is not Zarr version 3")
    return meta


def _dtype(name: str) -> np.dtype:
    dtype = np.dtype(name)          # Zarr's names of plain numbers are NumPy's: "float64", "uint16"
    if dtype.kind not in "biuf":
        raise ValueError(f"data_type '{name}'")
    return dtype.newbyteorder("<")
