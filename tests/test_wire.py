"""What goes over a link comes out as it went in, and rubbish comes out as WireError."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorders.streams import Batch, Column, ImageField, StreamSpec
from studio.station.processes.wire import WireError, decode_batches, encode_batches, pack, unpack

ARM = StreamSpec(name="arm", rate_hz=100, columns=(Column(name="position", dtype="<f8", shape=(8,)),
                                                   Column(name="flags", dtype="u1")))
FRONT = StreamSpec(name="front", rate_hz=30, images=(
    ImageField(name="rgb", height=4, width=4, encoding="jpeg"),
    ImageField(name="depth", height=4, width=4, encoding="zstd")))
DTYPES = {spec.name: spec.row_dtype for spec in (ARM, FRONT)}


def rows_of(spec: StreamSpec) -> st.SearchStrategy[np.ndarray]:
    size = spec.row_dtype.itemsize
    return st.integers(0, 5).flatmap(lambda n: st.binary(min_size=n * size, max_size=n * size)).map(
        lambda raw: np.frombuffer(raw, spec.row_dtype))


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    made = []
    for _ in range(draw(st.integers(0, 4))):
        spec = draw(st.sampled_from((ARM, FRONT)))
        rows = draw(rows_of(spec))
        images: tuple[dict[str, bytes | memoryview], ...] = ()
        if spec.images:
            images = tuple({field.name: draw(st.binary(max_size=40)) for field in spec.images}
                           for _ in rows)
        made.append(Batch(spec.name, rows, images))
    return made


@given(batches())
def test_batches_come_out_as_they_went_in(sent: list[Batch]) -> None:
    received = decode_batches([bytes(frame) for frame in encode_batches(sent)], DTYPES)
    assert [b.stream for b in received] == [b.stream for b in sent]
    for before, after in zip(sent, received, strict=True):
        assert after.rows.dtype == before.rows.dtype
        assert after.rows.tobytes() == before.rows.tobytes()
        pictures = tuple({k: bytes(v) for k, v in row.items()} for row in after.images)
        assert pictures == before.images


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_random_frames_are_refused_and_nothing_else_happens(frames: list[bytes]) -> None:
    try:
        decoded = decode_batches(frames, DTYPES)
    except WireError:
        return
    assert all(batch.stream in DTYPES for batch in decoded)


@given(batches(), st.data())
def test_a_damaged_message_is_refused_or_stays_well_formed(sent: list[Batch],
                                                           data: st.DataObject) -> None:
    frames = [bytearray(frame) for frame in encode_batches(sent)]
    damage = data.draw(st.sampled_from(("flip", "cut", "drop", "repeat")))
    which = data.draw(st.integers(0, len(frames) - 1))
    if damage == "flip" and frames[which]:
        byte = data.draw(st.integers(0, len(frames[which]) - 1))
        frames[which][byte] ^= 1 << data.draw(st.integers(0, 7))
    elif damage == "cut":
        del frames[which][data.draw(st.integers(0, len(frames[which]))):]
    elif damage == "drop":
        del frames[which]
    else:
        frames.insert(which, bytearray(frames[which]))
    try:
        received = decode_batches([bytes(frame) for frame in frames], DTYPES)
    except WireError:
        return
    for batch in received:
        assert not batch.images or len(batch.images) == len(batch.rows)


def test_a_bottomless_nesting_is_refused() -> None:
    with pytest.raises(WireError):
        decode_batches([b"\x91" * 100_000], DTYPES)


def test_an_unknown_stream_is_refused_with_the_known_names() -> None:
    frames = encode_batches([Batch("arm", np.zeros(1, ARM.row_dtype))])
    with pytest.raises(WireError, match="unknown stream 'arm'; known streams: front"):
        decode_batches(frames, {"front": FRONT.row_dtype})


def test_pictures_for_some_rows_only_are_refused_by_the_sender() -> None:
    with pytest.raises(WireError, match="2 rows but pictures for 1"):
        encode_batches([Batch("front", np.zeros(2, FRONT.row_dtype), ({"rgb": b"x"},))])


def test_rows_and_pictures_are_views_not_copies() -> None:
    frames = [bytes(frame) for frame in encode_batches(
        [Batch("front", np.zeros(1, FRONT.row_dtype), ({"rgb": b"x" * 9},))])]
    (batch,) = decode_batches(frames, DTYPES)
    assert batch.images[0]["rgb"] is frames[2]
    assert np.shares_memory(batch.rows, np.frombuffer(frames[1], np.uint8))


def test_a_strided_selection_of_rows_is_sent_whole() -> None:
    rows = np.zeros(10, ARM.row_dtype)
    rows["seq"] = np.arange(10)
    (batch,) = decode_batches(encode_batches([Batch("arm", rows[::3])]), DTYPES)
    assert batch.rows["seq"].tolist() == [0, 3, 6, 9]


def test_a_message_of_another_type_is_refused() -> None:
    decoder = msgspec.msgpack.Decoder(tuple[int, str])
    assert unpack(pack((1, "a")), decoder) == (1, "a")
    with pytest.raises(WireError, match="unreadable message"):
        unpack(pack("a"), decoder)
