"""What is written is plain Zarr, bit for bit what was given, and found again by its id."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zarr
import zarr.codecs
from doubles.synthetic_episodes import (
    ARM,
    FRONT,
    START_MONO_NS,
    STREAMS,
    TICK,
    WRIST,
    batch,
    header,
    pixels,
    rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode import EpisodeSummary
from recorders.files import bytes_of_tree
from recorders.images import encode
from recorders.shard_writer import ImageWriter
from recorders.store import DemoStore, NoSuchEpisode, StoreError
from recorders.streams import Batch, Column, ImageField, StreamSpec
from recorders.zarr_metadata import column_json, columns_of, image_json


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DemoStore]:
    """A new store under a clock that stands still."""
    with DemoStore.open(tmp_path / "store", write=True, create=True, clock=ManualClock(),
                        reserve_bytes=1 << 16) as opened:
        yield opened


def record(store: DemoStore, number: int = 0, ticks: int = 6) -> EpisodeSummary:
    """Record a made-up episode: a row of `tick` and five of `arm` per tick; pictures with each
    third."""
    writer = store.begin(header(number))
    for i in range(ticks):
        writer.append(batch(TICK, i, 1))
        writer.append(batch(ARM, 5 * i, 5))
        if i % 3 == 0:
            writer.append(batch(FRONT, i // 3, 1))
            writer.append(batch(WRIST, i // 3, 1))
    return writer.commit(START_MONO_NS + ticks * NS_PER_S // 100, "success")


def assert_holds(group: zarr.Group, spec: StreamSpec, count: int, first: int = 0) -> None:
    """Every array of a stream is what the made-up rows say, read by zarr-python."""
    wanted = rows(spec, first, count)
    assert wanted.dtype.names is not None
    for name in wanted.dtype.names:
        array = group[f"{spec.name}/{name}"]
        assert isinstance(array, zarr.Array)
        assert array.dtype == wanted[name].dtype
        np.testing.assert_array_equal(np.asarray(array[...]), wanted[name])
    for image in spec.images:
        array = group[f"{spec.name}/{image.name}"]
        assert isinstance(array, zarr.Array)
        assert array.shape[0] == count
        for i in range(count):
            picture = np.asarray(array[i])
            if image.encoding == "jpeg":
                assert np.abs(picture.astype(int) - pixels(image, i)).mean() < 12
            else:
                np.testing.assert_array_equal(picture, pixels(image, i))


def test_zarr_python_reads_back_what_was_recorded(store: DemoStore) -> None:
    summary = record(store, ticks=7)
    root = zarr.open_group(store.path / "data.zarr", mode="r")
    assert list(root.group_keys()) == [summary.episode]     # and no warning about foreign files
    group = root[summary.episode]
    assert isinstance(group, zarr.Group)
    for spec, count in ((TICK, 7), (ARM, 35), (FRONT, 3), (WRIST, 3)):
        assert_holds(group, spec, count)
    assert group.attrs["steps"] == summary.steps == 7
    assert group.attrs["duration_s"] == summary.duration_s == 0.07


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=6))
def test_rows_in_batches_of_any_size_become_the_same_columns(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    path = tmp_path_factory.mktemp("sizes")
    with DemoStore.open(path, write=True, create=True, reserve_bytes=4096) as store:
        writer = store.begin(header(streams=[ARM]))
        for first, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
            writer.append(batch(ARM, int(first), size))
        summary = writer.commit(START_MONO_NS)
        group = zarr.open_group(store.episode_path(summary.episode), mode="r")
        assert_holds(group, ARM, sum(sizes))
        assert summary.rows == {"arm": sum(sizes)}
        assert store.check() == []


def test_pictures_cross_from_one_shard_into_the_next(store: DemoStore) -> None:
    small = StreamSpec(name="eye", rate_hz=30.0, images=(
        ImageField(name="depth", height=2, width=2, encoding="zstd"),))
    writer = store.begin(header(streams=[small]))
    for first in range(0, 600, 50):
        writer.append(batch(small, first, 50))
    writer.commit(START_MONO_NS)
    group = zarr.open_group(store.episode_path(0), mode="r")
    assert_holds(group, small, 600)
    assert sorted(path.name for path in (store.episode_path(0) / "eye/depth/c").iterdir()) == [
        "0", "1", "2"]


def test_an_episode_is_measured_only_when_its_pictures_have_their_names(
        store: DemoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, seal_all = threading.Event(), ImageWriter.seal_all

    def slow(writer: ImageWriter) -> None:
        measured.wait(0.3)          # as a disk may be slow; never so long if nobody waits for it
        seal_all(writer)

    def measure(folder: Path) -> int:
        left = list(folder.rglob("*.partial"))
        measured.set()
        assert not left
        return bytes_of_tree(folder)

    monkeypatch.setattr(ImageWriter, "seal_all", slow)
    monkeypatch.setattr("recorders.group_writer.bytes_of_tree", measure)
    summary = record(store)
    assert summary.bytes > 0 and store.check() == []


def test_a_process_that_knows_only_zarr_reads_the_pictures(store: DemoStore) -> None:
    summary = record(store)
    script = ("import sys, zarr\n"
              "group = zarr.open(sys.argv[1], mode='r')\n"
              "print(int(group['wrist/rgb'][1].sum()), int(group['wrist/depth'][1].sum()))\n"
              "assert not any(name.split('.')[0] == 'recorders' for name in sys.modules)\n")
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, store.episode_path(summary.episode)],
        check=True, capture_output=True, text=True, cwd="/")
    rgb, depth = WRIST.images
    assert found.stdout.split() == [str(pixels(rgb, 1).sum()), str(pixels(depth, 1).sum())]


@pytest.mark.parametrize("column", columns_of(TICK) + ARM.columns, ids=lambda column: column.name)
def test_column_metadata_means_what_zarr_python_writes(tmp_path: Path, column: Column) -> None:
    ours = json.loads(column_json(column, rows=10))
    zarr.create_array(
        tmp_path / "array", shape=(10, *column.shape), chunks=(4096, *column.shape),
        dtype=column.dtype, filters=None,
        compressors=[zarr.codecs.ZstdCodec(level=1), zarr.codecs.Crc32cCodec()],
        dimension_names=ours["dimension_names"], attributes=ours["attributes"])
    assert ours == json.loads((tmp_path / "array/zarr.json").read_text())


@pytest.mark.parametrize("image", (*FRONT.images, *WRIST.images),
                         ids=lambda image: image.encoding)
def test_image_metadata_survives_zarr_python_unchanged(tmp_path: Path, image: ImageField) -> None:
    ours = image_json(image, rows=10)
    (tmp_path / "array").mkdir()
    (tmp_path / "array/zarr.json").write_bytes(ours)
    array = zarr.open_array(tmp_path / "array", mode="a")
    array.update_attributes({"touched": True})      # zarr-python writes its own zarr.json
    theirs = json.loads((tmp_path / "array/zarr.json").read_text())
    assert theirs.pop("attributes") == json.loads(ours)["attributes"] | {"touched": True}
    assert theirs == {key: value for key, value in json.loads(ours).items() if key != "attributes"}


def test_the_same_recording_makes_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        with DemoStore.open(tmp_path / name, write=True, create=True, clock=ManualClock(),
                            reserve_bytes=4096) as store:
            record(store)
        contents.append({file.relative_to(tmp_path / name): file.read_bytes()
                         for file in (tmp_path / name).rglob("*") if file.is_file()})
    assert contents[0] == contents[1]


def test_events_and_the_robot_are_kept_as_attributes(store: DemoStore) -> None:
    writer = store.begin(header(model_xml="<mujoco model='arm'/>"))
    writer.event(START_MONO_NS + 5, "instruction", text="put the red cube", at=np.float64(0.5))
    writer.commit(START_MONO_NS + 10)
    attributes = zarr.open_group(store.episode_path(-1), mode="r").attrs.asdict()
    assert attributes["events"] == [{"t_mono_ns": START_MONO_NS + 5, "kind": "instruction",
                                     "text": "put the red cube", "at": 0.5}]
    assert attributes["robot"] == {"name": "made-up", "home": [0.0, 0.0, 1.0]}
    model = store.model_path(str(attributes["model"]))
    assert model.read_text() == "<mujoco model='arm'/>"
    assert msgspec.convert(attributes["streams"], tuple[StreamSpec, ...]) == STREAMS


def test_gaps_in_seq_are_counted_and_a_restarted_device_is_no_loss(store: DemoStore) -> None:
    made = rows(ARM, 0, 8)
    made["seq"] = [4, 5, 9, 10, 0, 1, 2, 5]     # 3 lost, plugged in again, 2 lost
    writer = store.begin(header(streams=[ARM]))
    for part in (made[:2], made[2:3], made[3:]):
        writer.append(Batch("arm", part))
    assert writer.commit(START_MONO_NS).dropped == 5


def test_labels_are_the_detectors_until_somebody_judges(store: DemoStore) -> None:
    record(store)
    assert (store.episode(0).label, store.episode(0).label_by) == ("success", "detector")
    store.label(0, "failure", note="scratched the table", by="ana")
    store.label(0, "partial", by="ben")
    with DemoStore.open(store.path) as reader:
        found = reader.episode(0)
    assert (found.label, found.label_by, found.note) == ("partial", "ben", "")
    assert found.detector == "success"
    with pytest.raises(StoreError, match="valid are success, failure, partial, unlabelled"):
        store.label(0, "excellent")     # type: ignore[arg-type]


def test_relabelling_rewrites_nothing(store: DemoStore) -> None:
    record(store)
    before = {file: file.read_bytes()
              for file in (store.path / "data.zarr").rglob("*") if file.is_file()}
    store.relabel(0, instruction="put the cube away", by="ana")
    store.relabel(0, task="tidy-up")
    assert store.instruction_of(0) == "put the cube away"
    assert store.episode(0).task == "tidy-up"
    assert all(file.read_bytes() == content for file, content in before.items())
    with pytest.raises(StoreError, match="nothing to relabel"):
        store.relabel(0)


def test_trash_and_restore_move_the_folder_and_keep_the_order(store: DemoStore) -> None:
    first, second = record(store, 0), record(store, 1)
    store.trash(first.episode, by="ana")
    assert [one.episode for one in store.episodes()] == [second.episode]
    assert store.episode_path(first.episode).parent.name == "trash"
    assert zarr.open_group(store.episode_path(first.episode), mode="r").attrs["seed"] == 0
    assert store.check() == []
    store.restore(first.episode)
    assert [one.episode for one in store.episodes()] == [first.episode, second.episode]
    assert store.episode_path(first.episode).parent.name == "data.zarr"
    assert store.check() == []


def test_a_discarded_episode_can_be_restored(store: DemoStore) -> None:
    writer = store.begin(header())
    writer.append(batch(TICK, 0, 3))
    summary = writer.discard()
    assert summary.trashed
    assert store.episodes() == []
    store.restore(summary.episode)
    assert [one.rows["tick"] for one in store.episodes()] == [3]
    assert store.check() == []


def test_an_episode_is_found_by_id_prefix_and_number(store: DemoStore) -> None:
    ids = [record(store, number, ticks=1).episode for number in (0x1, 0x2)]
    assert store.episode(ids[1]).episode == ids[1]
    assert store.episode(ids[1][:24]).episode == ids[1]
    assert store.episode(0).episode == store.episode("-2").episode == ids[0]
    with pytest.raises(NoSuchEpisode, match=f"fits 2 episodes .* {ids[0]}, {ids[1]}"):
        store.episode(ids[0][:10])
    for unknown in ("2", -3, "nonsense", ""):
        with pytest.raises(NoSuchEpisode, match=f"valid are {ids[0]}, {ids[1]}"):
            store.episode(unknown)


def test_copies_carry_what_was_said_since(store: DemoStore, tmp_path: Path) -> None:
    first, second = record(store, 0), record(store, 1)
    store.label(0, "failure", by="ana")
    store.relabel(0, instruction="said later")
    store.copy_to(tmp_path / "copy", [first.episode])
    with DemoStore.open(tmp_path / "copy", write=True) as copy:
        assert copy.episodes() == [store.episode(first.episode)]
        assert copy.check() == []
        assert_holds(zarr.open_group(copy.episode_path(0), mode="r"), TICK, 6)
    with pytest.raises(StoreError, match=f"has {first.episode} already"):
        store.copy_to(tmp_path / "copy", [second.episode, first.episode])
    assert len(DemoStore.open(tmp_path / "copy").episodes()) == 1


def test_a_batch_that_does_not_fit_is_refused_and_changes_nothing(store: DemoStore) -> None:
    writer = store.begin(header(streams=[TICK, FRONT]))
    good = batch(FRONT, 0, 2)
    for bad, reason in (
        (Batch("nose", rows(TICK, 0, 1)), "records tick, front"),
        (Batch("tick", rows(ARM, 0, 1)), "rows of stream 'tick' must be"),
        (Batch("front", good.rows), "not 0 mappings"),
        (Batch("front", good.rows, (good.images[0], {})), r"images \[\] instead of \['rgb'\]"),
        (Batch("tick", rows(TICK, 0, 1), ({"rgb": b"?"},)), "no images"),
    ):
        with pytest.raises(StoreError, match=reason):
            writer.append(bad)
    writer.append(good)
    assert writer.commit(START_MONO_NS).rows == {"tick": 0, "front": 2}
    assert store.check() == []


@pytest.mark.parametrize(("streams", "reason"), [
    ([TICK, TICK], "two things are called 'tick'"),
    ([StreamSpec(name="../out", rate_hz=1.0)], "cannot name a stream"),
    ([StreamSpec(name="a", rate_hz=1.0, columns=(Column(name="seq", dtype="<i8"),))],
     "two things are called 'seq'"),
    ([StreamSpec(name="a", rate_hz=1.0, columns=(Column(name="x", dtype=">f8"),))],
     "little-endian"),
])
def test_streams_that_cannot_be_stored_are_refused(
    store: DemoStore, streams: list[StreamSpec], reason: str
) -> None:
    with pytest.raises(StoreError, match=reason):
        store.begin(header(streams=streams))
    record(store)       # and the store is none the worse


def test_a_second_episode_waits_for_the_first(store: DemoStore) -> None:
    writer = store.begin(header(0))
    with pytest.raises(StoreError, match="still open: commit or discard it"):
        store.begin(header(1))
    writer.commit(START_MONO_NS)
    with pytest.raises(StoreError, match=r"there is an episode .* already"):
        store.begin(header(0))
    with pytest.raises(StoreError, match="closed already: begin a new one"):
        writer.append(batch(TICK, 0, 1))


def test_pictures_may_come_as_views_of_a_message(store: DemoStore) -> None:
    image = FRONT.images[0]
    message = bytearray(encode(pixels(image, 0), "jpeg"))
    writer = store.begin(header(streams=[FRONT]))
    writer.append(Batch("front", rows(FRONT, 0, 1), ({"rgb": memoryview(message)},)))
    message[:] = bytes(len(message))        # the bus uses its buffer again
    writer.commit(START_MONO_NS)
    assert_holds(zarr.open_group(store.episode_path(0), mode="r"), FRONT, 1)
