"""Named tensors in a file of the safetensors format, with a checksum over all of it.

Written tensor by tensor, so that a large network need not fit into memory twice, and with the
system's own errors, so that a full disk is known as one. Format: eight bytes with the header's
length, a JSON header, the tensors' bytes (github.com/huggingface/safetensors, "Format"). Knows
nothing about what the tensors are; a checksum per file because the format has none.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import google_crc32c
import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from recorders.files import write_all

_DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}
_BLOCK_BYTES = 1 << 22


class DamagedTensors(ValueError):
    """A file of tensors is not what was written; the message says how."""


class FileMark(msgspec.Struct, frozen=True):
    """What a file must be to be believed."""

    size_bytes: int
    crc32c: str                 # eight hex digits


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> FileMark:
    """Write tensors, from any device, and put them safely on the disk.

    Raises:
        OSError: if they could not be written; part of the file may be there.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        size, checksum = 0, 0
        for part in _parts(tensors):
            size += write_all(file, [part])
            checksum = google_crc32c.extend(checksum, bytes(part))
        os.fsync(file)
    finally:
        os.close(file)
    return FileMark(size, f"{checksum:08x}")


def read_tensors(path: Path, mark: FileMark, device: str | torch.device = "cpu"
                 ) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises:
        DamagedTensors: if the file is missing, cut short or changed.
    """
    require_whole(path, mark)
    try:
        return load_file(path, device=str(device))
    except SafetensorError as error:
        raise DamagedTensors(f"{path.name} cannot be read as tensors ({error})") from error


def require_whole(path: Path, mark: FileMark) -> None:
    """See that a file is what was written.

    Raises:
        DamagedTensors: if it is missing, cut short or changed.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise DamagedTensors(f"{path.name} is missing") from None
    if size != mark.size_bytes:
        raise DamagedTensors(f"{path.name} has {size} of {mark.size_bytes} bytes")
    if checksum_of(path) != mark.crc32c:
        raise DamagedTensors(f"{path.name} was changed after it was written: its checksum is wrong")


def checksum_of(path: Path) -> str:
    """The CRC-32C of a file, eight hex digits."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            checksum = google_crc32c.extend(checksum, block)
    return f"{checksum:08x}"


def _parts(tensors: Mapping[str, Tensor]) -> Iterator[memoryview]:
    """The file, piece by piece. The format wants wide types first so that all are aligned."""
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    yield memoryview(_header((name, tensors[name]) for name in names))
    for name in names:
        flat = tensors[name].detach().to("cpu").contiguous().reshape(-1)
        if flat.numel():
            yield from _blocks(memoryview(flat.view(torch.uint8).numpy()))


def _header(tensors: Iterable[tuple[str, Tensor]]) -> bytes:
    described, offset = {}, 0
    for name, tensor in tensors:
        end = offset + tensor.numel() * tensor.element_size()
        described[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape),
                           "data_offsets": [offset, end]}
        offset = end
    header = msgspec.json.encode(described)
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header


def _blocks(data: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(data), _BLOCK_BYTES):
        yield data[start:start + _BLOCK_BYTES]
