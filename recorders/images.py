"""Pictures to bytes and back, exactly as the Zarr codecs of FORMAT.md do it.

A capture thread encodes a picture once with `encode`; from then on it travels, is stored and is
read as those bytes, so what `encode` makes must be what zarr-python's codec would have made. This
file knows the three encodings and the Zarr metadata that names them. It knows no files, no streams
and no shards, and it refuses to resize or to convert colours.

JPEG keeps colours at half the resolution of brightness (4:2:0). In a picture of 640 x 480 nobody
sees that; a reduced copy, whose every pixel counts, is kept 4:4:4: 42 instead of 34 dB on the
simulated cameras for a third more bytes.

All codecs release the GIL. JPEG carries no checksum of its own: a flipped bit or a missing half
decodes to a picture that merely looks wrong, so stored pictures are guarded by a CRC beside them.
"""

from typing import Any

import imagecodecs
import numpy as np
from numcodecs.zstd import Zstd

from recorders.streams import Encoding

JPEG_LEVEL = 95             # 38 dB on photographs, and 18 times cheaper to make than AV1
FINE_COLOURS = "444"
JPEGXL_EFFORT = 1           # higher efforts save few bytes and miss 30 Hz on one core
ZSTD_LEVEL = 1

ENCODINGS: tuple[Encoding, ...] = ("jpeg", "jpegxl-lossless", "zstd")

# zarr-python compresses with numcodecs, so we do: the bytes are the same. Its checksum lets a
# reader notice a damaged depth picture.
_zstd = Zstd(level=ZSTD_LEVEL, checksum=True)


class UnreadablePicture(ValueError):
    """Bytes that are not a picture of the expected encoding, shape and type."""


def picture_dtype(encoding: Encoding) -> np.dtype:
    """The type of one pixel value: <u2 for depth, u1 for colour."""
    return np.dtype("<u2") if encoding == "zstd" else np.dtype("u1")


def encode(picture: np.ndarray, encoding: Encoding, *, fine_colours: bool = False) -> bytes:
    """Encode one picture.

    Args:
        picture: u1 (H, W, 3) for "jpeg" and "jpegxl-lossless", u2 (H, W) for "zstd".
        encoding: one of `ENCODINGS`.
        fine_colours: keep a JPEG's colours at full resolution, as reduced pictures do.

    Raises:
        ValueError: if the picture's type or shape does not belong to the encoding.
    """
    _check(picture, encoding)
    if encoding == "jpeg":
        return bytes(imagecodecs.jpeg8_encode(picture, level=JPEG_LEVEL,
                                              subsampling=FINE_COLOURS if fine_colours else None))
    if encoding == "jpegxl-lossless":
        return bytes(imagecodecs.jpegxl_encode(picture, effort=JPEGXL_EFFORT, lossless=True))
    return bytes(_zstd.encode(np.ascontiguousarray(picture, "<u2")))


def decode(
    data: bytes | memoryview,
    encoding: Encoding,
    shape: tuple[int, ...],
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Decode one picture.

    Args:
        data: what `encode` made.
        encoding: one of `ENCODINGS`.
        shape: (H, W, 3) or, for depth, (H, W).
        out: where to put it: C-contiguous, of `shape` and `picture_dtype(encoding)`.

    Returns:
        The picture, which is `out` if that was given.

    Raises:
        UnreadablePicture: if the bytes are damaged so far that the codec notices, or are a picture
            of another shape.
    """
    if out is None:
        out = np.empty(shape, picture_dtype(encoding))
    try:
        if encoding == "jpeg":
            imagecodecs.jpeg8_decode(data, out=out)
        elif encoding == "jpegxl-lossless":
            imagecodecs.jpegxl_decode(data, numthreads=1, out=out)
        else:
            flat = memoryview(out).cast("B")
            decoded = imagecodecs.zstd_decode(data, out=flat)
            if len(decoded) != len(flat):
                raise ValueError(f"{len(decoded)} bytes instead of {len(flat)}")
    except (ValueError, RuntimeError) as error:     # imagecodecs' own errors are RuntimeErrors
        raise UnreadablePicture(
            f"these {len(data)} bytes are no {encoding} picture of shape {shape}: {error}"
        ) from error
    return out


def zarr_codecs(encoding: Encoding, *, fine_colours: bool = False) -> list[dict[str, Any]]:
    """The inner codecs of an image array's shards, as they stand in its zarr.json."""
    if encoding == "jpeg":
        subsampling = {"subsampling": FINE_COLOURS} if fine_colours else {}
        return [{"name": "imagecodecs_jpeg",
                 "configuration": {"level": JPEG_LEVEL, **subsampling}}]
    if encoding == "jpegxl-lossless":
        return [{"name": "imagecodecs_jpegxl",
                 "configuration": {"effort": JPEGXL_EFFORT, "lossless": True}}]
    return [{"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": True}}]


def encoding_of(codecs: list[dict[str, Any]]) -> Encoding:
    """The encoding that a zarr.json's inner codecs stand for, whatever their settings.

    Raises:
        ValueError: if they are none of ours.
    """
    names = [codec["name"] for codec in codecs]
    known: dict[tuple[str, ...], Encoding] = {
        tuple(codec["name"] for codec in zarr_codecs(encoding)): encoding for encoding in ENCODINGS
    }
    if tuple(names) not in known:
        raise ValueError(f"unknown picture codecs {names}: "
                         f"known are {[list(codecs) for codecs in known]}")
    return known[tuple(names)]


def _check(picture: np.ndarray, encoding: Encoding) -> None:
    if encoding not in ENCODINGS:
        raise ValueError(f"unknown encoding '{encoding}': valid are {', '.join(ENCODINGS)}")
    dtype, dimensions = picture_dtype(encoding), 2 if encoding == "zstd" else 3
    right_shape = picture.ndim == dimensions and (dimensions == 2 or picture.shape[2] == 3)
    if picture.dtype != dtype or not right_shape:
        wanted = "u2 (H, W)" if encoding == "zstd" else "u1 (H, W, 3)"
        raise ValueError(f"a picture for {encoding} must be {wanted}, "
                         f"not {picture.dtype} {picture.shape}")
