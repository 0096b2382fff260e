"""The recorder on a disk that fills up, and with a store that is moved away under its hands.

What was acknowledged stays readable, what could not be kept is named, and when room or store are
back it goes on by itself.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from doubles.small_disk import fill, small_disk
from doubles.synthetic_episodes import FRONT, START_MONO_NS, TICK, batch, header

from recorders.clock import SystemClock
from recorders.store import DemoStore, StoreError
from studio.station.commands import LabelEpisode, SettleInterrupted
from studio.station.messages import RecorderHealth
from studio.station.processes.bus import open_context, private_endpoints
from studio.station.recording.record_link import RecorderClient
from studio.station.recording.recorder import Recorder

pytestmark = pytest.mark.alone

RESERVE = 1 << 20


class Desk:
    """A recorder and a station's end of the link, in one process."""

    def __init__(self, store: DemoStore, recorder: Recorder, client: RecorderClient) -> None:
        self.store, self.recorder, self.client = store, recorder, client

    def until(self, reached: Callable[[RecorderHealth], object]) -> RecorderHealth:
        """Let the recorder work until its health is so; bounded by the test's time-out."""
        while not reached(self.client.health()):
            self.recorder.step(timeout_ms=5)
        return self.client.health()

    def begin(self, number: int) -> str:
        wanted = header(number, (TICK, FRONT))
        self.client.begin(wanted)
        return wanted.episode

    def append(self, first: int, count: int) -> None:
        for row in range(first, first + count):
            self.client.append((batch(TICK, row, 1), batch(FRONT, row, 1)))

    def end(self, label: str = "") -> None:
        self.client.end(START_MONO_NS + 10**9, "", label, "")

    def record(self, number: int) -> str:
        """A whole episode of ten rows, until it is committed."""
        episode = self.begin(number)
        self.append(0, 10)
        self.end("success")
        self.until(lambda health: health.last_episode == episode)
        return episode


@contextmanager
def recording_into(path: Path) -> Iterator[Desk]:
    clock = SystemClock()
    with (private_endpoints() as links, open_context() as context,
          DemoStore.open(path, write=True, create=True, reserve_bytes=RESERVE) as store):
        desk = Desk(store, Recorder(store, context, links, clock),
                    RecorderClient(context, links, clock))
        desk.until(lambda health: health.alive)
        yield desk
        desk.client.close()
        desk.recorder.finish()


def test_a_full_disk_keeps_the_open_episode_names_it_and_refuses_the_next_until_there_is_room(
        tmp_path: Path) -> None:
    with small_disk(tmp_path, 8) as disk, recording_into(disk / "store") as desk:
        before = desk.record(0)
        episode = desk.begin(1)
        desk.append(0, 30)
        desk.until(lambda health: health.queued == 0)
        ballast = fill(disk)
        desk.append(30, 100)
        health = desk.until(lambda health: health.cut_short)
        assert health.cut_short == episode
        assert episode in health.error and "disk is full" in health.error
        desk.until(lambda health: "free some space" in health.unable)
        desk.end("partial")                 # what a person says of it in the end holds
        desk.until(lambda health: health.last_episode == episode)
        assert {one.episode: one.label for one in desk.store.episodes()} == {
            before: "success", episode: "partial"}
        assert desk.store.episode(episode).steps >= 30

        refused = desk.begin(2)
        desk.append(0, 5)
        desk.end()
        health = desk.until(lambda health: health.cut_short == refused and not health.queued)
        assert refused in health.error and "free some space" in health.error

        ballast.unlink()
        desk.until(lambda health: not health.unable and health.error.startswith("only"))
        after = desk.record(3)
        assert [one.episode for one in desk.store.episodes()] == [before, episode, after]
        assert desk.store.check() == []


def test_an_episode_that_a_full_disk_closed_can_still_be_discarded(tmp_path: Path) -> None:
    with small_disk(tmp_path, 8) as disk, recording_into(disk / "store") as desk:
        episode = desk.begin(0)
        desk.append(0, 30)
        desk.until(lambda health: health.queued == 0)
        fill(disk)
        desk.append(30, 100)
        desk.until(lambda health: health.cut_short)
        desk.client.discard()
        desk.until(lambda health: not health.queued)
        assert desk.store.episode(episode).trashed


def test_a_store_that_is_moved_away_is_said_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    path, away = tmp_path / "store", tmp_path / "away"
    with recording_into(path) as desk:
        first = desk.record(0)
        path.rename(away)
        health = desk.until(lambda health: health.unable)
        assert str(path) in health.unable and "bring it back" in health.unable
        desk.client.say(LabelEpisode(first, "failure"))
        desk.until(lambda health: not health.queued)
        assert not path.exists()            # nobody made a store, or half of one, in its place
        away.rename(path)
        desk.until(lambda health: not health.unable and not health.error.startswith("the store"))
        second = desk.record(1)
        assert [one.episode for one in desk.store.episodes()] == [first, second]
        assert desk.store.check() == []


def test_an_episode_whose_store_is_moved_away_is_interrupted_and_kept_when_it_is_back(
        tmp_path: Path) -> None:
    path, away = tmp_path / "store", tmp_path / "away"
    with recording_into(path) as desk:
        episode = desk.begin(0)
        desk.append(0, 300)                 # more than a shard: the next one needs the folder
        desk.until(lambda health: not health.queued)
        path.rename(away)
        desk.append(300, 300)
        health = desk.until(lambda health: health.cut_short)
        assert health.cut_short == episode and episode in health.error
        assert health.interrupted == (episode,)
        desk.end("success")
        desk.until(lambda health: not health.queued)
        assert not path.exists()
        away.rename(path)
        desk.until(lambda health: not health.unable)
        desk.client.say(SettleInterrupted(episode, keep=True))
        desk.until(lambda health: not health.interrupted)
        assert desk.store.episode(episode).steps >= 300
        assert desk.store.check() == []


def test_a_deleted_store_is_called_deleted_and_another_in_its_place_is_opened_anew(
        tmp_path: Path) -> None:
    path = tmp_path / "store"
    with recording_into(path) as desk:
        shutil.rmtree(path)
        assert "was deleted" in desk.until(lambda health: health.unable).unable
        DemoStore.open(path, write=True, create=True).close()
        with pytest.raises(StoreError, match="another store lies at"):      # and is started again
            desk.recorder.require_store()
        (path / "reserve").write_bytes(b"of somebody else")
    assert (path / "reserve").exists()


