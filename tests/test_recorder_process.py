"""The recorder: what is handed over is in the store, and what is lost is said.

A real store, real sockets; the recorder runs in this process where its steps matter, and in one of
its own where it is killed.
"""

import getpass
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
import zmq

from recorders.clock import NS_PER_S, ManualClock, SystemClock
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.images import encode
from recorders.store import DemoStore
from recorders.streams import Batch, Column, ImageField, StreamSpec
from studio.station.commands import (
    LabelEpisode,
    RelabelEpisode,
    RestoreEpisode,
    SettleInterrupted,
    TrashEpisode,
)
from studio.station.processes.bus import Endpoints, open_context, private_endpoints
from studio.station.processes.supervisor import Supervisor, WorkerFailed, WorkerSpec
from studio.station.processes.wire import pack
from studio.station.recording.record_link import ALIVE_NS, Begin, Envelope, RecorderClient
from studio.station.recording.recorder import Recorder, RecorderConfig

pytestmark = pytest.mark.alone

TICK = StreamSpec(name="tick", rate_hz=100, columns=(
    Column(name="value", dtype="<f8", shape=(3,)),))
FRONT = StreamSpec(name="front", rate_hz=30, images=(
    ImageField(name="depth", height=2, width=2, encoding="zstd"),))
PERIOD_NS = NS_PER_S // 100
PATIENCE_S = 20.0
SMALL_RESERVE = 1 << 16


def header(number: int = 0) -> EpisodeHeader:
    return EpisodeHeader(
        episode=new_episode_id(1_700_000_000 * NS_PER_S, f"{number:08x}"), task="push-button",
        instruction="press it", seed=number, operator="ada", practice=False, robot={"name": "arm"},
        model_xml="<mujoco/>", started_mono_ns=0, started_wall_ns=0, streams=(TICK, FRONT),
        software={})


def tick(number: int) -> Batch:
    rows = np.zeros(1, TICK.row_dtype)
    rows["t_mono_ns"], rows["seq"], rows["value"] = number * PERIOD_NS, number, number
    return Batch("tick", rows)


def picture(number: int) -> Batch:
    rows = np.zeros(1, FRONT.row_dtype)
    rows["t_mono_ns"], rows["seq"] = number * PERIOD_NS, number // 3
    return Batch("front", rows, ({"depth": encode(np.full((2, 2), number, "<u2"), "zstd")},))


class Desk:
    """A recorder and a station's client in one process; time is the machine's or manual."""

    def __init__(self, path: Path, context: zmq.Context, links: Endpoints,
                 clock: Any = None) -> None:
        self.clock = clock or SystemClock()
        self.context, self.links = context, links
        self.store = DemoStore.open(path, write=True, create=True, reserve_bytes=SMALL_RESERVE)
        self.recorder = Recorder(self.store, context, links, self.clock)
        self.client = RecorderClient(context, links, self.clock)
        self.until(lambda: self.client.health().alive)

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the recorder work until a condition holds; bounded by the test's time-out."""
        while not condition():
            self.recorder._tell()
            self.recorder.step(timeout_ms=5)

    def written(self) -> None:
        self.until(lambda: self.client.health().queued == 0)

    def close(self) -> None:
        self.client.close()
        self.recorder.finish()
        self.store.close()


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    with open_context() as context:
        yield context


@pytest.fixture
def links() -> Iterator[Endpoints]:
    with private_endpoints() as links:
        yield links


@pytest.fixture
def desk(tmp_path: Path, context: zmq.Context, links: Endpoints) -> Iterator[Desk]:
    desk = Desk(tmp_path / "store", context, links)
    yield desk
    desk.close()


def test_what_was_handed_over_is_in_the_store(desk: Desk) -> None:
    desk.client.begin(header())
    for number in range(50):
        desk.client.append((tick(number), picture(number)) if number % 3 == 0 else (tick(number),))
    desk.client.event(7, "instruction", before="a", after="b", where=np.arange(2))
    desk.client.end(49 * PERIOD_NS, "success", "", "")
    desk.until(lambda: desk.client.health().committed == 1)
    (episode,) = desk.store.episodes()
    assert (episode.label, episode.steps, episode.dropped) == ("success", 50, 0)
    assert desk.client.health().last_episode == episode.episode
    assert desk.client.health().last_label == "success"
    group = zarr.open_group(desk.store.episode_path(episode.episode), mode="r")
    assert np.array_equal(np.asarray(group["tick/value"])[:, 0], np.arange(50))
    assert np.array_equal(np.asarray(group["front/depth"])[:, 0, 0], np.arange(0, 50, 3))
    assert group.attrs["events"] == [
        {"t_mono_ns": 7, "kind": "instruction", "before": "a", "after": "b", "where": [0, 1]}]


def test_the_operators_label_and_note_overrule_the_detector(desk: Desk) -> None:
    desk.client.begin(header())
    desk.client.append((tick(0),))
    desk.client.end(0, "success", "failure", "it slipped")
    desk.until(lambda: desk.client.health().committed == 1)
    (episode,) = desk.store.episodes()
    assert (episode.label, episode.note, episode.label_by) == ("failure", "it slipped", "ada")
    assert desk.client.health().last_label == "failure"


def test_a_discarded_episode_goes_into_the_trash_and_the_next_is_recorded(desk: Desk) -> None:
    for number, close in enumerate((desk.client.discard,
                                    lambda: desk.client.end(0, "", "", ""))):
        desk.client.begin(header(number))
        desk.client.append((tick(0),))
        close()
    desk.until(lambda: desk.client.health().committed == 1)
    assert [e.trashed for e in desk.store.episodes(include_trashed=True)] == [True, False]


def test_a_lost_message_is_an_error_and_is_noted_in_the_episode(desk: Desk) -> None:
    desk.client.begin(header())
    desk.client.append((tick(0),))
    desk.client._number += 3        # three messages that never arrive
    desk.client.append((tick(4),))
    desk.written()
    assert "3 messages" in desk.client.health().error
    desk.client.end(4 * PERIOD_NS, "", "", "")
    desk.until(lambda: desk.client.health().committed == 1)
    (episode,) = desk.store.episodes()
    assert episode.dropped == 3
    events = zarr.open_group(desk.store.episode_path(episode.episode), mode="r").attrs["events"]
    assert [(e["kind"], e["count"]) for e in events] == [("lost-messages", 3)]  # type: ignore


def test_rows_that_do_not_fit_are_counted_but_words_wait_and_keep_their_order(
        tmp_path: Path, context: zmq.Context, links: Endpoints) -> None:
    client = RecorderClient(context, links, SystemClock(), capacity=4)
    client.begin(header())
    for number in range(10):        # nobody takes them: three fit behind the beginning
        client.append((tick(number),))
    client.event(5, "mode")
    client.end(9 * PERIOD_NS, "success", "", "")
    assert client.health().overflowed == 7
    with DemoStore.open(tmp_path / "store", write=True, create=True,
                        reserve_bytes=SMALL_RESERVE) as store:
        recorder = Recorder(store, context, links, SystemClock())
        while client.health().committed < 1:
            recorder._tell()
            recorder.step(timeout_ms=5)
        (episode,) = store.episodes()
        assert episode.steps == 3
        assert "7 messages" in client.health().error
        assert client.health().overflowed == 7
        client.close()
        recorder.finish()


def test_an_episode_whose_station_dies_is_left_as_interrupted_and_recovers_whole(
        desk: Desk, tmp_path: Path) -> None:
    with open_context() as other:
        station = RecorderClient(other, desk.links, desk.clock)
        station.begin(header(1))
        for number in range(20):
            station.append((tick(number),))
        desk.until(lambda: station.health().queued == 0)
        station.close()
    desk.until(lambda: bool(desk.client.health().interrupted))
    health = desk.client.health()
    assert health.interrupted == (header(1).episode,)
    assert "was interrupted (the station ended)" in health.error
    assert desk.store.episodes() == []
    report = desk.store.recover(header(1).episode, keep=True)
    assert report.kept
    assert desk.store.episode(header(1).episode).steps == 20
    desk.client.begin(header(2))    # and recording goes on
    desk.client.append((tick(0),))
    desk.client.end(0, "", "", "")
    desk.until(lambda: desk.client.health().committed == 1)


def test_a_new_station_does_not_write_into_its_predecessors_episode(desk: Desk) -> None:
    desk.client.begin(header(1))
    desk.client.append((tick(0),))
    desk.written()
    second = RecorderClient(desk.context, desk.links, desk.clock)
    second.begin(header(2))
    second.append((tick(5),))
    second.end(5 * PERIOD_NS, "success", "", "")
    desk.until(lambda: second.health().committed == 1)
    assert [e.episode for e in desk.store.episodes()] == [header(2).episode]
    assert second.health().interrupted == (header(1).episode,)
    second.close()


def test_a_recorder_that_starts_in_the_middle_says_that_the_episode_must_be_repeated(
        desk: Desk) -> None:
    desk.client._number = 40        # what its predecessor took
    desk.client.append((tick(40),))
    desk.client.end(40 * PERIOD_NS, "success", "", "")
    desk.written()
    assert "record the episode anew" in desk.client.health().error
    desk.client.begin(header(3))
    desk.client.append((tick(0),))
    desk.client.end(0, "success", "", "")
    desk.until(lambda: desk.client.health().committed == 1)
    assert desk.client.health().error == ""


def test_rubbish_on_the_link_is_an_error_and_recording_goes_on(desk: Desk) -> None:
    desk.client.begin(header())
    desk.client._sender.send([b"\xc1"])
    desk.client._sender.send([desk.client._envelope(Begin(header(1)))[:-5]])
    desk.client.append((Batch("nonsense", np.zeros(1, TICK.row_dtype)),))
    desk.client.append((tick(0),))
    desk.written()
    assert desk.client.health().error
    desk.client.end(0, "success", "", "")
    desk.until(lambda: desk.client.health().committed == 1)
    assert desk.store.episodes()[0].steps == 1


def test_an_impossible_label_is_refused_with_the_valid_ones_and_the_episode_is_kept(
        desk: Desk) -> None:
    desk.client.begin(header())
    desk.client.append((tick(0),))
    desk.client.end(0, "success", "excellent", "")
    desk.until(lambda: bool(desk.client.health().error))
    assert "valid are success, failure" in desk.client.health().error
    assert desk.client.health().committed == 1


def recorded(desk: Desk, number: int) -> str:
    desk.client.begin(header(number))
    desk.client.append((tick(0),))
    desk.client.end(0, "success", "", "")
    desk.until(lambda: desk.client.health().last_episode == header(number).episode)
    return header(number).episode


def test_closed_episodes_are_labelled_and_trashed_while_another_is_open(desk: Desk) -> None:
    first, second = recorded(desk, 0), recorded(desk, 1)
    assert desk.client.health().store == str(desk.store.path)
    before = desk.client.health().changes
    desk.client.begin(header(2))
    desk.client.append((tick(0),))
    desk.client.say(LabelEpisode(first, "partial", "slipped"))
    desk.client.say(RelabelEpisode(first, task="open-drawer"))
    desk.client.say(TrashEpisode(first))
    desk.client.say(TrashEpisode(second))
    desk.client.say(RestoreEpisode(second))
    desk.client.say(LabelEpisode(second, "failure"))
    desk.written()
    assert desk.client.health().changes == before + 6
    assert desk.client.health().last_label == "failure"
    assert not desk.client.health().error
    desk.client.append((tick(1),))
    desk.client.end(PERIOD_NS, "success", "", "")
    desk.until(lambda: desk.client.health().last_episode == header(2).episode)
    one, two, three = desk.store.episodes(include_trashed=True)
    assert (one.label, one.note, one.task, one.trashed) == (
        "partial", "slipped", "open-drawer", True)
    assert (two.label, two.trashed) == ("failure", False)
    assert one.label_by == getpass.getuser()
    assert three.steps == 2


def test_an_episode_that_is_not_there_is_named_with_the_valid_ones_until_the_next_word(
        desk: Desk) -> None:
    episode = recorded(desk, 0)
    desk.client.say(TrashEpisode("20200101T000000-00000000"))
    desk.until(lambda: bool(desk.client.health().error))
    error = desk.client.health().error
    assert "20200101T000000-00000000" in error and episode in error and "\n" not in error
    desk.client.say(LabelEpisode(episode, "partial"))
    desk.until(lambda: not desk.client.health().error)
    assert recorded(desk, 1)


def test_an_interrupted_episode_is_kept_or_discarded_while_another_is_open(desk: Desk) -> None:
    for number in (0, 1):
        with open_context() as other:
            station = RecorderClient(other, desk.links, desk.clock)
            station.begin(header(number))
            station.append((tick(0),))
            desk.until(lambda station=station: station.health().queued == 0)
            station.close()
        desk.until(lambda number=number: len(desk.client.health().interrupted) == number + 1)
    desk.client.begin(header(2))
    desk.client.say(SettleInterrupted(header(0).episode, keep=True))
    desk.client.say(SettleInterrupted(header(1).episode, keep=False))
    desk.until(lambda: not desk.client.health().interrupted)
    assert not desk.client.health().error
    desk.client.append((tick(0),))
    desk.client.end(0, "success", "", "")
    desk.until(lambda: desk.client.health().last_episode == header(2).episode)
    kept = {e.episode: e.recovered for e in desk.store.episodes()}
    assert kept == {header(0).episode: True, header(2).episode: False}


def test_what_a_dying_recorder_may_not_have_heard_is_said_again_to_the_next(desk: Desk) -> None:
    episode = recorded(desk, 0)
    desk.client.say(LabelEpisode(episode, "partial"))
    while desk.recorder._receiver.receive() is None:    # it takes it and dies over it
        pass
    desk.recorder.finish()
    desk.recorder = Recorder(desk.store, desk.context, desk.links, desk.clock)
    desk.until(lambda: desk.client.health().alive and not desk.client.health().queued)
    assert desk.store.episode(episode).label == "partial"
    assert not desk.client.health().error
    assert recorded(desk, 1)


def test_an_episode_is_being_written_until_it_is_committed(desk: Desk) -> None:
    desk.client.begin(header(0))
    desk.client.append((tick(0),))
    desk.client.end(0, "success", "", "")
    assert desk.client.health().writing == header(0).episode
    desk.until(lambda: not desk.client.health().writing)
    assert [e.episode for e in desk.store.episodes()] == [header(0).episode]


def test_a_recorder_that_dies_over_an_end_does_not_forbid_the_next_episode(desk: Desk) -> None:
    desk.client.begin(header(0))
    desk.client.append((tick(0),))
    desk.written()
    desk.client.end(0, "success", "", "")
    while desk.recorder._receiver.receive() is None:
        pass
    desk.recorder.finish()
    desk.recorder = Recorder(desk.store, desk.context, desk.links, desk.clock)
    desk.until(lambda: desk.client.health().interrupted == (header(0).episode,))
    desk.until(lambda: desk.client.health().alive and not desk.client.health().writing)
    assert recorded(desk, 1)


def test_a_silent_recorder_is_not_alive(tmp_path: Path, context: zmq.Context,
                                        links: Endpoints) -> None:
    clock = ManualClock()
    desk = Desk(tmp_path / "store", context, links, clock)
    while desk.client._status.wait(50):     # words that are still under way
        desk.client.health()
    clock.advance(ALIVE_NS + 1)
    assert not desk.client.health().alive
    desk.until(lambda: desk.client.health().alive)
    desk.close()


def test_an_envelope_names_its_sender_and_time() -> None:
    clock = ManualClock(start_ns=5)
    with private_endpoints() as links, open_context() as context:
        client = RecorderClient(context, links, clock)
        envelope = client._envelope(Begin(header()))
        assert envelope == pack(Envelope(client._session, 0, 5, Begin(header())))
        client.close()


# ---- the process ---------------------------------------------------------------------------


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with Supervisor(SystemClock()) as supervisor:
        yield supervisor


def recorder_spec(path: Path, links: Endpoints) -> WorkerSpec:
    return WorkerSpec(name="recorder", role="recorder", restart=True, patience_s=15.0,
                      config=RecorderConfig(store=str(path), links=links))


def test_a_killed_recorder_is_replaced_and_what_it_had_taken_is_kept(
        tmp_path: Path, context: zmq.Context, links: Endpoints, supervisor: Supervisor) -> None:
    path = tmp_path / "store"
    supervisor.start(recorder_spec(path, links))
    client = RecorderClient(context, links, SystemClock())
    supervisor.wait_ready("recorder")
    assert client.wait_alive(PATIENCE_S)
    client.begin(header(0))
    client.append((tick(0),))
    client.end(0, "success", "", "")
    client.begin(header(1))
    for number in range(30):
        client.append((tick(number),))
    assert client.wait_written(PATIENCE_S)
    os.kill(supervisor.states()[0].pid, signal.SIGKILL)
    while supervisor.states()[0].restarts == 0:
        supervisor.poll()
    assert not client.health().alive            # at once, before the new one speaks
    while not client.health().interrupted:      # … and also when it does
        client._status.wait(20)
    health = client.health()
    assert not health.alive
    assert header(1).episode in health.error
    assert health.interrupted == (header(1).episode,)
    client.end(0, "success", "", "")            # what is left of it stays interrupted
    while not client.health().alive:
        client._status.wait(20)
    client.begin(header(2))
    assert client.health().alive
    client.append((tick(0),))
    client.end(0, "success", "", "")
    assert client.wait_written(PATIENCE_S)
    client.close()
    supervisor.stop_all()
    with DemoStore.open(path, write=True) as store:
        assert [e.episode for e in store.episodes()] == [header(0).episode, header(2).episode]
        store.recover(header(1).episode, keep=True)
        assert store.episode(header(1).episode).steps == 30
        assert store.check() == []


def test_an_episode_that_is_open_when_the_recorder_is_told_to_end_is_kept_as_interrupted(
        tmp_path: Path, context: zmq.Context, links: Endpoints, supervisor: Supervisor) -> None:
    path = tmp_path / "store"
    supervisor.start(recorder_spec(path, links))
    client = RecorderClient(context, links, SystemClock())
    supervisor.wait_ready("recorder")
    client.begin(header(0))
    for number in range(300):       # more than is taken at once
        client.append((tick(number),))
    assert client.wait_alive(PATIENCE_S)
    supervisor.stop_all()
    client.close()
    with DemoStore.open(path, write=True) as store:
        assert [one.episode for one in store.interrupted()] == [header(0).episode]
        store.recover(header(0).episode)
        assert store.episode(header(0).episode).steps == 300


def test_a_store_that_cannot_be_opened_is_the_reason_the_operator_sees(
        tmp_path: Path, links: Endpoints, supervisor: Supervisor) -> None:
    with DemoStore.open(tmp_path / "store", write=True, create=True, reserve_bytes=SMALL_RESERVE):
        supervisor.start(recorder_spec(tmp_path / "store", links))
        with pytest.raises(WorkerFailed, match="is being written by process"):
            supervisor.wait_ready("recorder")
