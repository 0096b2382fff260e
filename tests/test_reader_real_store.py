"""What the real writer wrote is read back: by our reader, by zarr-python and by xarray alike."""

from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr

from recorders.array_layout import DamagedRecording
from recorders.clock import NS_PER_S, ManualClock
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.episode_reader import EpisodeReader
from recorders.follower import StoreFollower
from recorders.images import encode
from recorders.quality import assess
from recorders.store import DemoStore
from recorders.streams import Batch, Column, ImageField, StreamSpec
from recorders.windows import ActionWindow, WindowSampler

SAMPLE = Path(__file__).parent.parent / "datasets" / "samples" / "format-1"
START_NS = 7 * NS_PER_S
PICTURES = 270                      # one full shard of 256, and a second one that is not full
STREAMS = (
    StreamSpec(name="front", rate_hz=30.0, images=(
        ImageField(name="rgb", height=16, width=24, encoding="jpeg"),
        ImageField(name="depth", height=16, width=24, encoding="zstd", unit="0.001 m"))),
    StreamSpec(name="wrist", rate_hz=30.0, images=(
        ImageField(name="rgb", height=16, width=24, encoding="jpegxl-lossless"),)),
    StreamSpec(name="tick", rate_hz=100.0, columns=(
        Column(name="sent", dtype="<f8", shape=(2,), unit="rad", names=("a", "b")),
        Column(name="epoch", dtype="<i4"))),
    StreamSpec(name="contact", rate_hz=100.0, columns=(Column(name="touch", dtype="<f4"),)),
)


def header(token: str) -> EpisodeHeader:
    return EpisodeHeader(
        episode=new_episode_id(1_700_000_000 * NS_PER_S, token), task="stack-cubes",
        instruction="stack the red cube on the blue one", seed=3, operator="ada", practice=False,
        robot={"name": "sim"}, model_xml="", started_mono_ns=START_NS, started_wall_ns=0,
        streams=STREAMS, software={})


def rows_of(spec: StreamSpec, count: int) -> np.ndarray:
    rows = np.zeros(count, spec.row_dtype)
    rows["t_mono_ns"] = START_NS + (np.arange(count) * (NS_PER_S / spec.rate_hz)).astype(np.int64)
    rows["t_wall_ns"] = rows["t_mono_ns"] + 10**18
    rows["seq"] = np.arange(count)
    return rows


def colour(row: int) -> np.ndarray:
    return np.full((16, 24, 3), row % 251, np.uint8)


def record(store: DemoStore, token: str) -> str:
    """Nine seconds from all streams but `contact`, which stays silent."""
    front, wrist, tick, _ = STREAMS
    writer = store.begin(header(token))
    for spec in (front, wrist):
        rows = rows_of(spec, PICTURES)
        images = []
        for row in range(PICTURES):
            depth = np.full((16, 24), row * 7, np.uint16)
            images.append({image.name: encode(depth if image.name == "depth" else colour(row),
                                              image.encoding) for image in spec.images})
        writer.append(Batch(spec.name, rows, tuple(images)))
    rows = rows_of(tick, 900)
    rows["sent"][:, 0] = np.arange(900) / 100
    rows["epoch"] = np.arange(900) // 7
    writer.append(Batch("tick", rows))
    return writer.commit(START_NS + 9 * NS_PER_S, detector="success").episode


@pytest.fixture(scope="module")
def store_path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("real") / "mydata"
    with DemoStore.open(path, write=True, create=True, clock=ManualClock(),
                        reserve_bytes=1 << 20) as store:
        record(store, "00000001")
        record(store, "00000002")
    return path


@pytest.fixture
def episode(store_path: Path) -> EpisodeReader:
    return EpisodeReader(DemoStore.open(store_path).episode_path(0))


def test_columns_come_back_as_they_were_appended(episode: EpisodeReader) -> None:
    assert episode["tick"]["sent"][:, 0].tolist() == [row / 100 for row in range(900)]
    assert episode["tick"]["epoch"].dtype == np.int32
    for spec, count in zip(STREAMS, (PICTURES, PICTURES, 900, 0), strict=True):
        expected = rows_of(spec, count)
        assert len(episode[spec.name]) == count
        for name in ("t_mono_ns", "t_wall_ns", "t_device_ns", "seq"):
            np.testing.assert_array_equal(episode[spec.name][name], expected[name])


def test_pictures_come_back_as_they_were_encoded(episode: EpisodeReader) -> None:
    for row in (0, 255, 256, PICTURES - 1):
        assert episode["front"]["rgb"].encoded(row) == encode(colour(row), "jpeg")
        np.testing.assert_array_equal(episode["wrist"]["rgb"][row], colour(row))
        assert np.all(episode["front"]["depth"][row] == row * 7)
    assert len(episode["front"]["rgb"].missing()) == 0


def require_equal_to_zarr_python(episode: EpisodeReader) -> None:
    group = zarr.open_group(episode.path, mode="r")
    for stream in episode.streams.values():
        for name in (*stream.column_names, *stream.image_names):
            theirs = np.asarray(group[f"{stream.spec.name}/{name}"])
            ours = stream[name][:]
            assert ours.dtype == theirs.dtype, name
            np.testing.assert_array_equal(ours, theirs, err_msg=name)


def test_every_array_equals_what_zarr_python_reads(episode: EpisodeReader) -> None:
    require_equal_to_zarr_python(episode)


def test_the_sample_of_format_1_is_read_forever() -> None:
    store = DemoStore.open(SAMPLE)
    summaries = store.episodes(include_trashed=True)
    assert summaries
    for summary in summaries:
        episode = EpisodeReader(store.episode_path(summary.episode))
        assert {name: len(stream) for name, stream in episode.streams.items()} == summary.rows
        require_equal_to_zarr_python(episode)
        assert sum(stream.dropped for stream in assess(episode).streams) == summary.dropped


def test_xarray_opens_every_stream_with_its_dimensions(episode: EpisodeReader) -> None:
    for stream in episode.streams.values():
        with xarray.open_zarr(episode.path, group=stream.spec.name, consolidated=False) as data:
            assert data.sizes["row"] == len(stream)
            assert set(data.variables) == {*stream.column_names, *stream.image_names}


def test_windows_span_the_border_between_two_shards(store_path: Path) -> None:
    store = DemoStore.open(store_path)
    sampler = WindowSampler([EpisodeReader(store.episode_path(n)) for n in (0, 1)],
                            images={"wrist": "rgb", "front": "depth"}, actions=ActionWindow())
    assert len(sampler) == 2 * PICTURES
    window = sampler[PICTURES + 256]
    assert window.episode == 1
    assert window.images["wrist"][:, 0, 0, 0].tolist() == [255 % 251, 256 % 251]
    assert window.images["front"][:, 0, 0].tolist() == [255 * 7, 256 * 7]
    assert window.actions is not None
    np.testing.assert_allclose(window.actions[:, 0],
                               np.minimum(256 / 30 + np.arange(16) / 30, 8.99), atol=1e-6)


def test_a_silent_stream_is_named_by_the_quality(episode: EpisodeReader) -> None:
    assert "contact recorded 0 samples: check the device" in assess(episode).flags


def test_a_follower_hears_of_commits_labels_and_the_trash_and_finds_the_recordings(
    tmp_path: Path,
) -> None:
    with DemoStore.open(tmp_path / "s", write=True, create=True, clock=ManualClock(),
                        reserve_bytes=1 << 20) as store:
        follower = StoreFollower(tmp_path / "s")
        assert follower.poll() == []
        first = record(store, "0000000a")
        assert [(c.kind, c.summary.episode) for c in follower.poll()] == [("committed", first)]
        store.label(first, "failure", note="slipped", by="ada")
        store.trash(first, by="ada")
        labelled, trashed = follower.poll()
        assert (labelled.kind, labelled.summary.label) == ("labelled", "failure")
        assert trashed.kind == "trashed"
        assert len(EpisodeReader(trashed.path)["tick"]) == 900
        store.begin(header("0000000b")).discard()
        (discarded,) = follower.poll()
        assert discarded.kind == "trashed" and discarded.summary.episode != first
    assert follower.problems == []


def test_damage_to_one_picture_spoils_only_that_picture(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path / "s", write=True, create=True, clock=ManualClock(),
                        reserve_bytes=1 << 20) as store:
        record(store, "0000000c")
        path = store.episode_path(0)
    frames = EpisodeReader(path)["front"]["rgb"]
    shard = path / "front" / "rgb" / "c" / "0" / "0" / "0" / "0"
    data = bytearray(shard.read_bytes())
    offset = data.find(frames.encoded(100))
    data[offset + 50] ^= 1
    shard.write_bytes(bytes(data))
    frames = EpisodeReader(path)["front"]["rgb"]
    with pytest.raises(DamagedRecording, match=r"row 100 .*checksum"):
        frames[100]
    np.testing.assert_array_equal(frames[99], frames[[99]][0])
    assert frames[101].shape == (16, 24, 3)
