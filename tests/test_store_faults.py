"""What a store does when the world is unkind: crashes, full disks, other writers, odd folders."""

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import zarr
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

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode import new_episode_id
from recorders.store import (
    DemoStore,
    DiskFull,
    NoSuchEpisode,
    NotAStore,
    StoreError,
    StoreLocked,
    StoreReadOnly,
    UnknownFormat,
)
from recorders.streams import Batch

pytestmark = pytest.mark.alone

RECORDER = Path(__file__).parent / "doubles/synthetic_recorder.py"
SMALL_RESERVE = 1 << 20


def fill(store: DemoStore, number: int = 0, ticks: int = 40) -> str:
    """Begin an episode, append to every stream, and leave it open."""
    writer = store.begin(header(number))
    for i in range(ticks):
        writer.append(batch(TICK, i, 1))
    writer.append(batch(ARM, 0, 5000))
    writer.append(batch(FRONT, 0, 300))
    writer.append(batch(WRIST, 0, 5))
    writer.event(START_MONO_NS, "instruction", text="go on")
    return writer.header.episode


def files_of(folder: Path) -> dict[Path, bytes]:
    """Everything below a folder."""
    return {file.relative_to(folder): file.read_bytes()
            for file in folder.rglob("*") if file.is_file()}


def test_an_interrupted_episode_recovers_to_what_a_commit_would_have_written(
    tmp_path: Path
) -> None:
    written = {}
    for name in ("committed", "interrupted"):
        with DemoStore.open(tmp_path / name, write=True, create=True, clock=ManualClock(),
                            reserve_bytes=4096) as store:
            episode = fill(store)
            if name == "committed":
                assert store._writer is not None
                store._writer.commit(store._writer._group.last_stamp_ns)
        with DemoStore.open(tmp_path / name, write=True, reserve_bytes=4096) as store:
            if name == "interrupted":
                found = store.interrupted()
                assert [(one.episode, one.rows["tick"]) for one in found] == [(episode, 40)]
                report = store.recover(episode)
                assert (report.kept, report.rows_lost_estimate, report.problems) == (True, 0, ())
            assert store.check() == []
            written[name] = files_of(store.episode_path(episode))
    assert written["committed"].keys() == written["interrupted"].keys()
    for file, content in written["committed"].items():
        if str(file) == "zarr.json":        # the attributes say that it was recovered
            ours, theirs = json.loads(content), json.loads(written["interrupted"][file])
            assert theirs["attributes"].pop("recovered") is True
            assert ours["attributes"].pop("recovered") is False
            for attributes in (ours["attributes"], theirs["attributes"]):
                attributes.pop("bytes")     # counts the attributes' own file, too
            assert ours == theirs
        else:
            assert content == written["interrupted"][file], file


def test_an_interrupted_episode_can_be_discarded_and_that_undone(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        episode = fill(store)
    with DemoStore.open(tmp_path, write=True) as store:
        report = store.recover(episode[:20], keep=False)
        assert not report.kept
        assert store.episodes() == store.interrupted() == []
        store.restore(episode)
        assert store.episodes()[0].rows == {"tick": 40, "arm": 5000, "front": 300, "wrist": 5}
        assert store.check() == []
        with pytest.raises(NoSuchEpisode, match="nothing was interrupted"):
            store.recover(episode)


def test_an_episode_killed_before_its_first_row_leaves_nothing(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        store.begin(header())
    (tmp_path / "journal" / f"{header(1).episode}.journal").write_bytes(b"TJR1")
    with DemoStore.open(tmp_path, write=True) as store:
        assert store.interrupted() == store.check() == []
    assert not list((tmp_path / "journal").iterdir()) and not list((tmp_path / "open").iterdir())


def test_pictures_lost_at_the_end_of_a_shard_cost_only_their_rows(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        episode = fill(store)
    # A power cut: the journal is on the disk, the last pages of a shard are not.
    shard = next((tmp_path / "open" / episode / "front/rgb/c/1").rglob("*.partial"))
    os.truncate(shard, shard.stat().st_size - 10)
    with DemoStore.open(tmp_path, write=True) as store:
        report = store.recover(episode)
        assert report.rows_kept == {"tick": 40, "arm": 5000, "front": 299, "wrist": 5}
        assert report.rows_lost_estimate == 1
        assert store.check() == []
        pictures = zarr.open_group(store.episode_path(episode), mode="r")["front/rgb"]
        assert isinstance(pictures, zarr.Array) and pictures.shape[0] == 299
        assert np.asarray(pictures[298]).any()


def test_a_picture_damaged_in_the_middle_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        episode = fill(store)
    shard = next((tmp_path / "open" / episode / "wrist/depth/c/0").rglob("*.partial"))
    content = bytearray(shard.read_bytes())
    content[4100 + 20] ^= 1
    shard.write_bytes(content)
    with DemoStore.open(tmp_path, write=True) as store:
        report = store.recover(episode)
        assert report.problems == ("picture 0 of 'wrist/depth' is damaged",)
        assert report.rows_kept["wrist"] == 5
        assert [problem.what for problem in store.check()] == [
            "picture 0 is damaged: its checksum is wrong"]
        depth = zarr.open_group(store.episode_path(episode), mode="r")["wrist/depth"]
        assert isinstance(depth, zarr.Array)
        np.testing.assert_array_equal(np.asarray(depth[4]), pixels(WRIST.images[1], 4))
        with pytest.raises(ValueError, match="checksum"):
            depth[0]


def test_a_torn_journal_recovers_what_stands_before(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        writer = store.begin(header(streams=[TICK]))
        for i in range(50):
            writer.append(batch(TICK, i, 1))
    journal = next((tmp_path / "journal").iterdir())
    os.truncate(journal, journal.stat().st_size - 3)
    with DemoStore.open(tmp_path, write=True) as store:
        assert "breaks off at byte" in store.interrupted()[0].damage
        report = store.recover(store.interrupted()[0].episode)
        assert report.rows_kept == {"tick": 49}
        assert report.rows_lost_estimate == 1
        sent = zarr.open_group(store.episode_path(0), mode="r")["tick/sent"]
        assert isinstance(sent, zarr.Array)
        np.testing.assert_array_equal(np.asarray(sent[...]), rows(TICK, 0, 49)["sent"])


def test_a_journal_without_any_header_is_set_aside_with_its_pictures(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        episode = fill(store)
    journal = tmp_path / "journal" / f"{episode}.journal"
    content = journal.read_bytes()
    journal.write_bytes(bytes(8192) + content[8192:])
    with DemoStore.open(tmp_path, write=True) as store:
        assert "no readable header" in store.interrupted()[0].damage
        report = store.recover(episode)
        assert (report.kept, report.summary) == (False, None)
        assert store.interrupted() == store.check() == []
    assert sorted(path.name for path in (tmp_path / "trash").iterdir()) == [
        f"{episode}.journal", f"{episode}.unreadable"]


def test_a_committed_episode_whose_columns_never_reached_the_disk_is_finished(
    tmp_path: Path
) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        episode = fill(store)
        journal = tmp_path / "journal" / f"{episode}.journal"
        spare = tmp_path / "spare"
        assert store._writer is not None
        os.link(journal, spare)
        store._writer.commit(START_MONO_NS + NS_PER_S)
    # As after a power cut between "committed" and the finisher's last fsync.
    shutil.copy(spare, journal)
    group = tmp_path / "data.zarr" / episode
    before = files_of(group)
    for name in ("tick/sent/c/0/0", "arm/seq/zarr.json", "zarr.json"):
        (group / name).write_bytes(b"")
    (group / "arm/position/c/1/0").unlink()
    with DemoStore.open(tmp_path, write=True) as store:
        assert store.unfinished == ()
        assert store.check() == store.interrupted() == []
        after = files_of(group)
    assert after.keys() == before.keys()
    assert all(after[file] == before[file] for file in before if str(file) != "zarr.json")
    assert not journal.exists()


@pytest.mark.parametrize(("rows_per_episode", "most_lines"), [(7, 80), (400, 700)])
def test_a_killed_recorder_loses_nothing_that_was_acknowledged(
    tmp_path: Path, rows_per_episode: int, most_lines: int
) -> None:
    path = tmp_path / "store"
    generator = np.random.default_rng(rows_per_episode)
    committed: dict[str, int] = {}
    acknowledged: dict[str, int] = {}
    for trial in range(2):
        recorder = subprocess.Popen(
            [sys.executable, RECORDER, "record", path, str(1000 * trial), str(rows_per_episode)],
            stdout=subprocess.PIPE, text=True)
        assert recorder.stdout is not None
        kill_after = int(generator.integers(1, most_lines))
        for heard, line in enumerate(recorder.stdout):
            note(line, committed, acknowledged)
            if heard == kill_after:
                recorder.send_signal(signal.SIGKILL)    # what it still said is read to the end
        assert recorder.wait() == -signal.SIGKILL
        recorder.stdout.close()
        with DemoStore.open(path, write=True) as store:
            for one in store.interrupted():
                store.recover(one.episode)
    with DemoStore.open(path, write=True) as store:
        found = {one.episode: one for one in store.episodes()}
        assert store.check() == store.interrupted() == []
    assert committed.keys() <= found.keys()
    for episode, count in acknowledged.items():
        # The recorder may have been killed between an append and saying so.
        assert count <= found[episode].rows["tick"] <= min(count + 1, rows_per_episode)
    for episode, count in committed.items():
        assert (found[episode].rows["tick"], found[episode].label) == (count, "success")


def note(line: str, committed: dict[str, int], acknowledged: dict[str, int]) -> None:
    """Keep what a recorder said; a line torn by its death counts for nothing."""
    words = line.split() if line.endswith("\n") else []
    if words and words[0] == "committed":
        committed[words[1]] = int(words[2])
    elif words and words[0] == "rows":
        acknowledged[words[1]] = int(words[2])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk],
                             capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_closes_the_episode_with_everything_acknowledged(small_disk: Path) -> None:
    acknowledged = 0
    noise = np.random.default_rng(0).integers(0, 255, (1, 200_000), dtype="u1").tobytes()
    with DemoStore.open(small_disk / "store", write=True, create=True,
                        reserve_bytes=SMALL_RESERVE) as store:
        writer = store.begin(header(streams=[TICK, FRONT]))
        with pytest.raises(DiskFull, match=r"closed after .* kept with everything") as full:
            while True:
                writer.append(batch(TICK, acknowledged, 1))
                writer.append(Batch("front", rows(FRONT, acknowledged, 1), ({"rgb": noise},)))
                acknowledged += 1
        assert acknowledged > 5
        summary = store.episode(full.value.episode)
        assert summary.rows == {"tick": acknowledged + 1, "front": acknowledged} or (
            summary.rows == {"tick": acknowledged, "front": acknowledged})
        assert writer.commit(START_MONO_NS) == summary      # closed already, and says so
        assert store.check() == []
    with DemoStore.open(small_disk / "store") as reader:
        assert reader.check() == []
        attributes = zarr.open_group(reader.episode_path(0), mode="r").attrs.asdict()
        events = attributes["events"]
        assert isinstance(events, list) and events[-1]["kind"] == "disk-full"  # type: ignore[index]
    with DemoStore.open(small_disk / "store", write=True, reserve_bytes=4 << 20) as store:
        with pytest.raises(DiskFull, match="less than the 4 MiB that are kept for closing"):
            store.begin(header(1, streams=[TICK]))
        store.trash(summary.episode)        # a full disk still lets one tidy up
        store.restore(summary.episode)


def test_a_size_limit_closes_the_episode_as_a_full_disk_does(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = bytes(np.random.default_rng(0).integers(0, 255, 50_000, dtype="u1"))
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        writer = store.begin(header(streams=[FRONT]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
        try:
            with pytest.raises(DiskFull):
                for i in range(20):
                    writer.append(Batch("front", rows(FRONT, i, 1), ({"rgb": noise},)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert store.episodes()[0].rows == {"front": (300_000 - 4100) // 50_004}
        assert store.check() == []


def test_the_recorder_takes_everything_while_the_disk_stalls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled, released = Event(), Event()
    fdatasync = os.fdatasync

    def stall(file: int) -> None:
        stalled.set()
        assert released.wait(60)
        fdatasync(file)

    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        writer = store.begin(header())
        monkeypatch.setattr(os, "fdatasync", stall)
        writer.append(batch(TICK, 0, 1))
        assert stalled.wait(60)             # nobody asked: the writer's own thread came round
        for i in range(1, 500):
            writer.append(batch(TICK, i, 1))
        for first in range(0, 520, 40):     # two shards are full meanwhile
            writer.append(batch(FRONT, first, 40))
        journal = tmp_path / "journal" / f"{writer.header.episode}.journal"
        assert journal.stat().st_size > 500 * rows(TICK, 0, 1).nbytes   # a kill would lose nothing
        released.set()
        assert writer.commit(START_MONO_NS).rows == {"tick": 500, "arm": 0, "front": 520,
                                                     "wrist": 0}
        assert store.check() == []


def test_an_error_of_the_disk_reaches_whoever_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Event()

    def fail(_file: int) -> None:
        failed.set()
        raise OSError(errno.EIO, "Input/output error")

    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        writer = store.begin(header(streams=[TICK]))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", fail)
            writer.append(batch(TICK, 0, 5))
            assert failed.wait(60)
            with pytest.raises(StoreError, match=r"Input/output error.*run `tandem data recover`"):
                writer.commit(START_MONO_NS)
        assert not writer.open
    with DemoStore.open(tmp_path, write=True) as store:
        assert store.recover(store.interrupted()[0].episode).rows_kept == {"tick": 5}
        assert store.check() == []


def test_the_check_tells_of_an_episode_that_is_not_finished(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        episode = fill(store)
        journal = tmp_path / "journal" / f"{episode}.journal"
        os.link(journal, tmp_path / "spare")
        assert store._writer is not None
        store._writer.commit(START_MONO_NS)
    (tmp_path / "spare").rename(journal)
    problem, = DemoStore.open(tmp_path).check()
    assert problem.remedy.startswith("open the store for writing")
    with DemoStore.open(tmp_path, write=True) as store:
        assert store.check() == []


def test_a_creation_that_was_killed_can_be_repeated(tmp_path: Path) -> None:
    DemoStore.open(tmp_path / "store", create=True)
    for name in ("store.json", "LOCK"):
        (tmp_path / "store" / name).unlink()
    assert DemoStore.open(tmp_path / "store", create=True).check() == []


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        episode = fill(store)
        with pytest.raises(StoreLocked, match=f"written by process {os.getpid()}: end that"):
            DemoStore.open(tmp_path, write=True)
        with DemoStore.open(tmp_path) as reader:        # reading needs no lock
            assert [(one.episode, one.being_recorded) for one in reader.interrupted()] == [
                (episode, True)]
            assert reader.check() == []
    with DemoStore.open(tmp_path) as reader:
        assert not reader.interrupted()[0].being_recorded


def test_a_store_opened_for_reading_is_not_touched(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        store.begin(header()).commit(START_MONO_NS)
    before = files_of(tmp_path)
    with DemoStore.open(tmp_path) as reader:
        reader.check()
        for write in (lambda: reader.begin(header(1)), lambda: reader.label(0, "failure"),
                      lambda: reader.trash(0), lambda: reader.recover("x")):
            with pytest.raises(StoreReadOnly, match="open it with write=True"):
                write()
    assert files_of(tmp_path) == before


def test_a_protected_folder_is_readable_and_says_why_not_writable(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with DemoStore.open(disk / "store", write=True, create=True, reserve_bytes=4096) as store:
        store.begin(header()).commit(START_MONO_NS)
    if os.geteuid() == 0:               # root may write everywhere but on a read-only mount
        if subprocess.run(["mount", "--bind", disk, disk], capture_output=True,
                          check=False).returncode:
            pytest.skip("as root, a protected folder needs a mount, which is not allowed here")
        subprocess.run(["mount", "-o", "remount,ro,bind", disk], check=True)
    else:
        for folder in (disk, disk / "store", *(disk / "store").iterdir()):
            folder.chmod(0o555 if folder.is_dir() else 0o444)
    try:
        with DemoStore.open(disk / "store") as reader:
            assert len(reader.episodes()) == 1 and reader.check() == []
        for path, create in ((disk / "store", False), (disk / "new", True)):
            with pytest.raises(StoreReadOnly, match=r"cannot be written .* use another folder"):
                DemoStore.open(path, write=True, create=create)
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", disk], check=True)
        else:
            for folder in (disk, disk / "store", *(disk / "store").iterdir()):
                folder.chmod(0o755 if folder.is_dir() else 0o644)


def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(NotAStore, match="there is no folder"):
        DemoStore.open(tmp_path / "absent")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_bytes(b"")
    with pytest.raises(NotAStore, match=r"it has no store\.json"):
        DemoStore.open(tmp_path / "photos")
    with pytest.raises(NotAStore, match="choose an empty or a new folder"):
        DemoStore.open(tmp_path / "photos", write=True, create=True)
    with pytest.raises(NotAStore, match=r"it has no store\.json"):
        DemoStore.open(tmp_path / "photos/cat.jpg")
    assert [file.name for file in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


@pytest.mark.parametrize(("content", "error", "reason"), [
    ({"format": "tandem-demonstrations", "version": 2, "created_wall_ns": 0}, UnknownFormat,
     "version 2, and this studio reads version 1"),
    ({"format": "recipes", "version": 1, "created_wall_ns": 0}, NotAStore, "holds 'recipes'"),
    (["nothing"], NotAStore, "cannot be read"),
])
def test_an_unknown_format_is_named(
    tmp_path: Path, content: object, error: type[StoreError], reason: str
) -> None:
    DemoStore.open(tmp_path, create=True)
    (tmp_path / "store.json").write_text(json.dumps(content))
    for write in (False, True):
        with pytest.raises(error, match=reason):
            DemoStore.open(tmp_path, write=write)


def test_a_jumping_wall_clock_changes_neither_order_nor_duration(tmp_path: Path) -> None:
    clock = ManualClock(START_MONO_NS)
    with DemoStore.open(tmp_path, write=True, create=True, clock=clock,
                        reserve_bytes=4096) as store:
        ids = []
        for number, jump_s in enumerate((0, -86_400 * 400, 86_400 * 4000)):
            clock.jump_wall(jump_s * NS_PER_S)
            one = header(number, streams=[TICK], wall_ns=clock.wall_ns())
            writer = store.begin(one)
            clock.jump_wall(-jump_s * NS_PER_S)
            writer.append(batch(TICK, 0, 10))
            ids.append(writer.commit(START_MONO_NS + NS_PER_S).episode)
        assert [one.episode for one in store.episodes()] == ids != sorted(ids)
        assert [one.duration_s for one in store.episodes()] == [1.0, 1.0, 1.0]
        assert store.check() == []


def test_an_episode_id_tells_its_utc_second_and_its_token() -> None:
    assert new_episode_id(1_750_000_000_999_999_999, "00c0ffee") == "20250615T150640-00c0ffee"
    with pytest.raises(ValueError, match="eight lower-case hex digits"):
        new_episode_id(0, "UPPERCASE")


def test_all_streams_of_a_killed_recorder_stay_within_one_tick(tmp_path: Path) -> None:
    """Streams are journalled in one order, so a crash cuts them all at the same moment."""
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        writer = store.begin(header(streams=STREAMS))
        for i in range(30):
            for spec in STREAMS:
                writer.append(batch(spec, i, 1))
    journal = next((tmp_path / "journal").iterdir())
    os.truncate(journal, int(journal.stat().st_size * 0.8))
    with DemoStore.open(tmp_path, write=True) as store:
        kept = store.recover(store.interrupted()[0].episode).rows_kept
        assert max(kept.values()) - min(kept.values()) <= 1
        assert 10 < min(kept.values()) < 30
        assert store.check() == []
