"""The reader gives back what zarr-python wrote, bit for bit, and names what is damaged."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from zarr.codecs import GzipCodec

from recorders.array_layout import DamagedRecording, UnknownLayout
from recorders.column_reader import read_column
from recorders.episode_reader import EpisodeReader
from recorders.shard_reader import FrameReader
from recorders.streams import Column, Encoding, ImageField, StreamSpec


def camera(name: str, height: int, width: int, encoding: Encoding = "jpeg",
           image: str = "rgb") -> StreamSpec:
    return StreamSpec(name=name, rate_hz=30.0, images=(
        ImageField(name=image, height=height, width=width, encoding=encoding),))


ARM = StreamSpec(name="arm", rate_hz=100.0, columns=(
    Column(name="position", dtype="<f8", shape=(3,), unit="rad", names=("a", "b", "c")),
    Column(name="code", dtype="u1")))


def pictures(count: int, height: int = 24, width: int = 32) -> np.ndarray:
    """Pictures that all differ and none of which is black."""
    row, down, right = np.ogrid[:count, :height, :width]
    plane = (40 + row * 7 + down * 3 + right * 2) % 200 + 20
    return np.stack([plane, plane + 9, 255 - plane], axis=-1).astype(np.uint8)


def depths(count: int) -> np.ndarray:
    return pictures(count)[..., 0].astype("<u2") * 11


@pytest.fixture
def episode(tmp_path: Path, write_episode) -> Path:
    """Two shards of front pictures, one of depth, and an arm."""
    rows = np.arange(50)
    return write_episode(tmp_path / "20260101T000000-00000001", [
        (camera("front", 24, 32), {"rgb": pictures(11)}),
        (camera("depth", 24, 32, "zstd", "depth"), {"depth": depths(11)}),
        (ARM, {"position": np.stack([rows, rows * 2, rows * 3], 1) / 7,
               "code": rows.astype(np.uint8)}),
    ], per_shard=8)


def flip_bit(file: Path, position: int) -> None:
    data = bytearray(file.read_bytes())
    data[position] ^= 4
    file.write_bytes(bytes(data))


@given(data=st.data(), count=st.integers(0, 21), per_shard=st.integers(1, 9),
       encoding=st.sampled_from(["jpeg", "jpegxl-lossless", "zstd"]), checked=st.booleans(),
       index_location=st.sampled_from(["start", "end"]))
@settings(deadline=None, max_examples=60)
def test_pictures_equal_zarr_pythons_bit_for_bit(
    data: st.DataObject, count: int, per_shard: int, encoding: Encoding, checked: bool,
    index_location: str, tmp_path_factory, write_episode,
) -> None:
    path = tmp_path_factory.mktemp("store") / "e"
    written = depths(count) if encoding == "zstd" else pictures(count)
    never_written = data.draw(st.sets(st.integers(0, count - 1))) if count else set()
    for row in never_written:
        written[row] = 0        # zarr-python leaves out a chunk that holds only fill values
    write_episode(path, [(camera("front", 24, 32, encoding), {"rgb": written})],
                  per_shard=per_shard, picture_checksums=checked, index_location=index_location)
    theirs = np.asarray(zarr.open_array(path / "front" / "rgb", mode="r")[...])
    ours = FrameReader(path / "front" / "rgb")
    np.testing.assert_array_equal(ours[:], theirs)
    assert ours.missing().tolist() == sorted(never_written)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape


@given(values=arrays(
    st.sampled_from([np.dtype(name) for name in ("<f8", "<f4", "<i8", "u1", "<u4", "?")]),
    st.tuples(st.sampled_from([0, 1, 2, 4095, 4096, 4097]), st.integers(1, 3))))
@settings(deadline=None, max_examples=30)
def test_columns_equal_zarr_pythons_bit_for_bit(values: np.ndarray, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("column") / "c"
    zarr.create_array(path, data=values, chunks=(4096, values.shape[1]))
    ours = read_column(path)
    assert ours.dtype == values.dtype and ours.shape == values.shape
    assert ours.tobytes() == values.tobytes()


def test_rows_are_picked_as_from_an_array(episode: Path) -> None:
    front = EpisodeReader(episode)["front"]["rgb"]
    everything = front[:]
    np.testing.assert_array_equal(front[10], everything[10])
    np.testing.assert_array_equal(front[-1], everything[10])
    np.testing.assert_array_equal(front[2:9:3], everything[2:9:3])
    np.testing.assert_array_equal(front[[7, 8, 0]], everything[[7, 8, 0]])
    with pytest.raises(IndexError, match="11 rows"):
        front[11]


def test_an_episode_tells_its_streams_rates_and_attributes(episode: Path) -> None:
    reader = EpisodeReader(episode)
    assert list(reader.streams) == ["front", "depth", "arm"]
    assert (len(reader["front"]), len(reader["arm"])) == (11, 50)
    assert reader.episode == episode.name and reader.instruction == "do it"
    assert reader["arm"].column_names[4:] == ("position", "code")
    assert np.diff(reader["arm"].stamps_ns).tolist() == [10_000_000] * 49
    assert reader["arm"]["position"] is reader["arm"]["position"]      # read once, kept
    with pytest.raises(ValueError, match="read-only"):
        reader["arm"]["position"][0] = 1


def test_unknown_names_are_answered_with_the_valid_ones(episode: Path) -> None:
    reader = EpisodeReader(episode)
    with pytest.raises(KeyError, match="front, depth, arm"):
        reader["wrist"]
    with pytest.raises(KeyError, match="position, code"):
        reader["arm"]["velocity"]
    with pytest.raises(KeyError, match="valid are none"):
        reader["arm"].images("rgb")


def test_the_encoded_bytes_are_the_picture_without_its_checksum(
    tmp_path: Path, write_episode
) -> None:
    shots = pictures(3)
    plain, checked = (
        FrameReader(write_episode(tmp_path / str(on), [(camera("front", 24, 32), {"rgb": shots})],
                                  picture_checksums=on) / "front" / "rgb") for on in (False, True))
    assert [plain.encoded(row) for row in range(3)] == [checked.encoded(row) for row in range(3)]
    assert plain.encoded(0)[:2] == b"\xff\xd8" and plain.encoded(0)[-2:] == b"\xff\xd9"


@given(position=st.integers(0, 16 * 8 + 3))
@settings(deadline=None, max_examples=25)
def test_a_flipped_bit_in_a_shards_index_is_named(
    position: int, tmp_path_factory, write_episode
) -> None:
    path = write_episode(tmp_path_factory.mktemp("flip") / "e",
                         [(camera("front", 24, 32), {"rgb": pictures(11)})], per_shard=8)
    shard = path / "front" / "rgb" / "c" / "0" / "0" / "0" / "0"
    flip_bit(shard, position)
    front = EpisodeReader(path)["front"]["rgb"]
    with pytest.raises(DamagedRecording, match="index of 8 pictures is damaged") as error:
        front[3]
    assert str(shard) in str(error.value)
    assert front[8].any()           # the rest stays readable


@given(position=st.integers(0, 10**6))
@settings(deadline=None, max_examples=25)
def test_a_flipped_bit_in_a_checked_picture_is_named_and_its_neighbours_stay_readable(
    position: int, tmp_path_factory, write_episode
) -> None:
    path = write_episode(tmp_path_factory.mktemp("flip") / "e",
                         [(camera("front", 24, 32), {"rgb": pictures(3)})],
                         per_shard=8, picture_checksums=True)
    shard = path / "front" / "rgb" / "c" / "0" / "0" / "0" / "0"
    start = 16 * 8 + 4
    flip_bit(shard, start + position % (shard.stat().st_size - start))
    front = FrameReader(path / "front" / "rgb")
    unreadable = []
    for row in range(3):
        try:
            front[row]
        except DamagedRecording as error:
            assert f"row {row} " in str(error) and str(shard) in str(error)
            unreadable.append(row)
    assert len(unreadable) == 1


def test_a_shard_that_was_cut_short_is_named(episode: Path) -> None:
    shard = episode / "front" / "rgb" / "c" / "1" / "0" / "0" / "0"
    os.truncate(shard, shard.stat().st_size - 10)
    front = EpisodeReader(episode)["front"]["rgb"]
    assert front[7].any()
    with pytest.raises(DamagedRecording, match="cut short"):
        front[10]


def test_a_damaged_column_is_named(episode: Path) -> None:
    chunk = episode / "arm" / "position" / "c" / "0" / "0"
    flip_bit(chunk, chunk.stat().st_size // 2)
    reader = EpisodeReader(episode)
    with pytest.raises(DamagedRecording, match="damaged") as error:
        reader["arm"]["position"]
    assert str(chunk) in str(error.value)
    assert len(reader["arm"]["code"]) == 50


def test_streams_whose_columns_disagree_in_length_are_refused(episode: Path) -> None:
    zarr.open_array(episode / "arm" / "code", mode="r+").resize((49,))
    with pytest.raises(DamagedRecording, match=r"49 rows.*50 stamps"):
        EpisodeReader(episode)["arm"]["code"]


def test_what_is_no_episode_is_said_to_be_none(tmp_path: Path, write_episode) -> None:
    with pytest.raises(DamagedRecording, match=r"zarr\.json is missing"):
        EpisodeReader(tmp_path)
    zarr.open_group(tmp_path / "g", mode="w")
    with pytest.raises(DamagedRecording, match="is no episode"):
        EpisodeReader(tmp_path / "g")
    with pytest.raises(UnknownLayout, match="format 99"):
        EpisodeReader(write_episode(tmp_path / "new", [], format=99))


def test_foreign_layouts_are_refused_by_name(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a", shape=(4, 8), chunks=(2, 4), dtype="f4")
    with pytest.raises(UnknownLayout, match="whole rows"):
        read_column(tmp_path / "a")
    zarr.create_array(tmp_path / "b", shape=(4, 8), chunks=(2, 8), dtype="f4",
                      compressors=GzipCodec())
    with pytest.raises(UnknownLayout, match="gzip"):
        read_column(tmp_path / "b")
    with pytest.raises(UnknownLayout, match="shards"):
        FrameReader(tmp_path / "b")


def test_plain_zarr_reads_pictures_in_a_process_that_never_heard_of_us(episode: Path) -> None:
    script = textwrap.dedent("""
        import sys, zarr
        pictures = zarr.open_group(sys.argv[1], mode="r")["front/rgb"]
        print(pictures.shape, int(pictures[10].sum()))
        assert not [name for name in sys.modules if name.split(".")[0] in
                    ("recorders", "policy", "studio")]
    """)
    done = subprocess.run([sys.executable, "-c", script, str(episode)], capture_output=True,
                          text=True, cwd=episode, check=False)
    total = int(FrameReader(episode / "front" / "rgb")[10].astype(int).sum())
    assert done.stdout.strip() == f"(11, 24, 32, 3) {total}", done.stderr


def test_xarray_opens_a_stream_with_its_dimensions(episode: Path) -> None:
    arm = xarray.open_zarr(episode, group="arm", consolidated=False)
    np.testing.assert_array_equal(arm["position"].values, EpisodeReader(episode)["arm"]["position"])
    assert arm["position"].dims[0] == "row" and arm.sizes["row"] == 50
