"""Rows and pictures as frames: what goes over a link, byte for byte.

One MessagePack header frame says what follows: one frame with the rows of all batches, then a
frame for every picture; a frame costs ZeroMQ more than the copying of a few rows. Rows are read as
views into what arrived, and a picture is never copied by us. This file knows no socket; it refuses
to trust its input: whatever arrives either is a message or raises WireError.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from recorders.streams import Batch

Frame = bytes | memoryview


class WireError(ValueError):
    """What arrived is not a message of this version of the studio."""


class _BatchHead(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Names a batch's stream, the length of its rows, and row by row its pictures."""

    stream: str
    rows_bytes: Annotated[int, msgspec.Meta(ge=0)]
    images: tuple[tuple[str, ...], ...]


_encoder = msgspec.msgpack.Encoder()
_head_decoder = msgspec.msgpack.Decoder(tuple[_BatchHead, ...])

# msgspec reports bad UTF-8 and bottomless nesting as Python does, everything else as its own error.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def pack(message: Any) -> bytes:
    """A struct as one frame."""
    return _encoder.encode(message)


def unpack[T](frame: Frame, decoder: msgspec.msgpack.Decoder[T]) -> T:
    """The struct in a frame.

    Raises:
        WireError: the frame holds something else.
    """
    try:
        return decoder.decode(frame)
    except _UNREADABLE as error:
        raise WireError(f"unreadable message of {len(frame)} bytes: {error}") from error


def encode_batches(batches: Iterable[Batch]) -> list[Frame]:
    """Frames that carry batches: one header, one with all rows, then the pictures in order.

    The frames of pictures are the caller's own: send or copy them before changing them.

    Raises:
        WireError: a batch has pictures for some of its rows only.
    """
    heads: list[_BatchHead] = []
    rows_of_all: list[Frame] = []
    pictures: list[Frame] = []
    for batch in batches:
        rows = np.ascontiguousarray(batch.rows)
        if batch.images and len(batch.images) != len(rows):
            raise WireError(f"stream '{batch.stream}' has {len(rows)} rows but pictures for "
                            f"{len(batch.images)}: give every row its pictures, or none")
        heads.append(_BatchHead(batch.stream, rows.nbytes,
                                tuple(tuple(row) for row in batch.images)))
        rows_of_all.append(rows.view(np.uint8).data)
        for row in batch.images:
            pictures.extend(row.values())
    return [_encoder.encode(heads), b"".join(rows_of_all), *pictures]


def decode_batches(frames: Sequence[Frame], dtypes: Mapping[str, np.dtype]) -> list[Batch]:
    """The batches in frames made by `encode_batches`; rows are read-only views into the frames.

    Args:
        frames: header, rows and pictures as they arrived.
        dtypes: `StreamSpec.row_dtype` of every stream that may come.

    Raises:
        WireError: the frames are no such message, or name a stream that is not in `dtypes`.
    """
    if not frames:
        raise WireError("a message without a header frame: expected a list of batches")
    heads = unpack(frames[0], _head_decoder)
    expected = 2 + sum(len(names) for head in heads for names in head.images)
    if len(frames) != expected:
        raise WireError(f"the header announces {expected} frames, {len(frames)} arrived")
    announced = sum(head.rows_bytes for head in heads)
    if len(frames[1]) != announced:
        raise WireError(f"the header announces {announced} bytes of rows, {len(frames[1])} arrived")
    all_rows, pictures = memoryview(frames[1]), iter(frames[2:])
    batches: list[Batch] = []
    for head in heads:
        rows = _rows(head.stream, all_rows[:head.rows_bytes], dtypes)
        all_rows = all_rows[head.rows_bytes:]
        if head.images and len(head.images) != len(rows):
            raise WireError(f"stream '{head.stream}': {len(rows)} rows arrived with pictures for "
                            f"{len(head.images)}")
        for names in head.images:
            if len(set(names)) != len(names):
                raise WireError(f"stream '{head.stream}' has two pictures of one name in a row: "
                                f"{', '.join(names)}")
        batches.append(Batch(head.stream, rows, tuple(
            {name: next(pictures) for name in names} for names in head.images)))
    return batches


def _rows(stream: str, frame: Frame, dtypes: Mapping[str, np.dtype]) -> np.ndarray:
    """The rows in a frame.  # (N,)"""
    dtype = dtypes.get(stream)
    if dtype is None:
        known = ", ".join(sorted(dtypes)) or "none"
        raise WireError(f"unknown stream '{stream}'; known streams: {known}")
    if len(frame) % dtype.itemsize:
        raise WireError(f"stream '{stream}': {len(frame)} bytes are no whole number of rows of "
                        f"{dtype.itemsize} bytes; both sides must run the same version")
    return np.frombuffer(frame, dtype)
