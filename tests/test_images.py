"""Pictures survive encoding as the format promises, and byte for byte as Zarr's codecs do it."""

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recorders.images import (
    ENCODINGS,
    UnreadablePicture,
    decode,
    encode,
    encoding_of,
    picture_dtype,
    zarr_codecs,
)
from recorders.streams import Encoding

colour = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda size: arrays(np.uint8, (*size, 3)))
depth = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda size: arrays(np.dtype("<u2"), size))


def smooth_picture(height: int = 48, width: int = 64) -> np.ndarray:
    """A colour picture without hard edges, as JPEG likes them."""
    down, right = np.mgrid[:height, :width]
    return np.stack([down * 4, right * 3, down + right], axis=-1).astype(np.uint8)


def picture_for(encoding: Encoding) -> np.ndarray:
    picture = smooth_picture()
    return picture[..., 0].astype("<u2") * 17 if encoding == "zstd" else picture


@given(colour)
@settings(deadline=None, max_examples=60)
def test_jpegxl_gives_back_every_value(picture: np.ndarray) -> None:
    again = decode(encode(picture, "jpegxl-lossless"), "jpegxl-lossless", picture.shape)
    np.testing.assert_array_equal(again, picture)


@given(depth)
@settings(deadline=None, max_examples=60)
def test_depth_gives_back_every_value(picture: np.ndarray) -> None:
    again = decode(encode(picture, "zstd"), "zstd", picture.shape)
    np.testing.assert_array_equal(again, picture)


def test_jpeg_stays_close_to_the_picture() -> None:
    picture = smooth_picture()
    error = decode(encode(picture, "jpeg"), "jpeg", picture.shape).astype(int) - picture
    assert np.abs(error).mean() < 2


@pytest.mark.parametrize(("encoding", "fine_colours"), [
    *((encoding, False) for encoding in ENCODINGS), ("jpeg", True), ("jpegxl-lossless", True)])
def test_stored_bytes_are_those_that_zarr_python_writes(
    encoding: Encoding, fine_colours: bool, tmp_path
) -> None:
    picture = picture_for(encoding)
    serializer, *compressors = zarr_codecs(encoding, fine_colours=fine_colours)
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(1, *picture.shape), chunks=(1, *picture.shape),
        dtype=picture.dtype, filters=[], serializer=serializer, compressors=compressors)
    array[0] = picture
    stored = tmp_path.joinpath("a.zarr", "c", *["0"] * (picture.ndim + 1)).read_bytes()
    assert stored == encode(picture, encoding, fine_colours=fine_colours)
    np.testing.assert_array_equal(array[0], decode(stored, encoding, picture.shape))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_decoding_into_a_place_fills_that_place(encoding: Encoding) -> None:
    picture = picture_for(encoding)
    window = np.zeros((2, *picture.shape), picture_dtype(encoding))
    returned = decode(memoryview(encode(picture, encoding)), encoding, picture.shape, window[1])
    assert returned.base is window or np.shares_memory(returned, window)
    np.testing.assert_array_equal(window[1], decode(encode(picture, encoding), encoding,
                                                    picture.shape))
    assert not window[0].any()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_bytes_that_are_no_picture_are_refused_by_name(encoding: Encoding) -> None:
    with pytest.raises(UnreadablePicture, match=encoding):
        decode(b"not a picture at all", encoding, picture_for(encoding).shape)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_picture_of_another_size_is_refused(encoding: Encoding) -> None:
    picture = picture_for(encoding)
    shape = (picture.shape[0] + 8, *picture.shape[1:])
    with pytest.raises(UnreadablePicture):
        decode(encode(picture, encoding), encoding, shape)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_a_flipped_bit_in_a_depth_picture_is_noticed(position: int) -> None:
    picture = np.random.default_rng(3).integers(0, 4000, (24, 32)).astype("<u2")
    data = bytearray(encode(picture, "zstd"))
    position = 5 + position % (len(data) - 5)        # behind the magic number and the flags
    data[position] ^= 1 << (position % 8)
    with pytest.raises(UnreadablePicture):
        decode(bytes(data), "zstd", picture.shape)


@pytest.mark.parametrize(("picture", "encoding"), [
    (np.zeros((4, 4), np.uint8), "jpeg"),
    (np.zeros((4, 4, 4), np.uint8), "jpegxl-lossless"),
    (np.zeros((4, 4, 3), np.uint16), "jpeg"),
    (np.zeros((4, 4), np.float32), "zstd"),
])
def test_a_picture_of_the_wrong_kind_is_refused(picture: np.ndarray, encoding: Encoding) -> None:
    with pytest.raises(ValueError, match="must be"):
        encode(picture, encoding)


def test_codecs_name_their_encoding_and_strangers_are_refused() -> None:
    assert [encoding_of(zarr_codecs(encoding)) for encoding in ENCODINGS] == list(ENCODINGS)
    with pytest.raises(ValueError, match="imagecodecs_webp"):
        encoding_of([{"name": "imagecodecs_webp"}])
