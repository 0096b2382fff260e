"""What beginning an episode waits for, and what is on the disk when it counts."""

import os
from pathlib import Path
from threading import Event

import pytest
from doubles.synthetic_episodes import START_MONO_NS, TICK, batch, header

from recorders.store import DemoStore


def test_an_episode_begins_and_takes_rows_while_the_disk_stalls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = Event()
    fsync = os.fsync

    def stall(file: int) -> None:
        assert released.wait(60)
        fsync(file)

    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", stall)
            patched.setattr(os, "fdatasync", stall)
            writer = store.begin(header())      # waiting here would take rows from a killed process
            for i in range(100):
                writer.append(batch(TICK, i, 1))
            journal = tmp_path / "journal" / f"{writer.header.episode}.journal"
            assert journal.stat().st_size > 100 * TICK.row_dtype.itemsize
            released.set()
            assert writer.commit(START_MONO_NS).rows["tick"] == 100
        assert store.check() == []


@pytest.mark.parametrize("rows", [0, 1])
def test_header_model_and_names_are_on_the_disk_before_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def noted(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink())
        fsync(file)

    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        monkeypatch.setattr(os, "fsync", noted)
        writer = store.begin(header())
        writer.append(batch(TICK, 0, rows))
        writer.commit(START_MONO_NS)
        committed = synced.index(tmp_path / "commits.jsonl")
        before, episode = synced[:committed], writer.header.episode
        model = next((tmp_path / "models").iterdir())
        assert {tmp_path / "journal" / f"{episode}.journal", tmp_path / "journal",
                tmp_path / "open", tmp_path / "open" / episode,
                tmp_path / "open" / episode / "front", model, model.parent} <= set(before)


def test_a_model_that_a_power_cut_left_torn_is_written_again(tmp_path: Path) -> None:
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        store.begin(header(0)).commit(START_MONO_NS)
        model = next((tmp_path / "models").iterdir())
        model.write_bytes(b"")
        store.begin(header(1)).commit(START_MONO_NS)
        assert model.read_text() == "<mujoco/>"
