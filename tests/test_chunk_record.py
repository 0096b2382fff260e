"""The side table of chunks: complete, in order, and named by the ticks."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
import xarray
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy
from numpy.testing import assert_array_equal

from policy.driving.two_speeds import Delays
from policy.interfaces import Chunk
from recorders.episode_reader import EpisodeReader
from recorders.quality import assess
from recorders.store import DemoStore
from studio.station.chunks.log import FATES, ChunkLog, Costs
from studio.station.commands import SetInstruction
from studio.station.messages import Mode, Owner
from studio.station.recording.made_with import made_with, title_of

pytestmark = pytest.mark.gl


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Iterator[RolloutDesk]:
    """A recorded rollout: a person steps in, and the words change."""
    store = DemoStore.open(tmp_path_factory.mktemp("store") / "s", write=True, create=True)
    made = RolloutDesk(RulePolicy(), delays=Delays(think_s=0.03, act_s=0.02), store=store)
    made.begin()
    made.ticks(80)
    made.push(40)
    made.ticks(40)
    made.do(SetInstruction("put the blue cube in the bin"))
    made.ticks(60)
    assert made.driver is not None
    made.chunk = made.driver.player.chunk
    made.played = msgspec.structs.replace(made.driver.player.played)
    made.end()
    yield made
    made.robot.disconnect()
    store.close()


@pytest.fixture(scope="module")
def episode(desk) -> EpisodeReader:
    store = desk.store
    return EpisodeReader(store.episode_path(store.episodes()[0].episode))


def test_every_chunk_that_was_made_is_there_once_with_its_fate(desk, episode):
    chunk, played = episode["chunk"], desk.played
    fates = [FATES[fate] for fate in chunk["fate"]]
    assert fates.count("taken") == played.taken
    assert fates.count("refused") == played.refused > 0
    assert_array_equal(np.diff(chunk["seq"]), 1)
    assert (chunk["held_steps"] > 0).any()                  # joined to what is executed meanwhile
    assert len(np.unique(chunk["chunk_id"])) == len(chunk)
    texts = {e["number"]: e["text"] for e in episode.events if e["kind"] == "text"}
    assert all(texts[why] for why in chunk["why"][chunk["fate"] > 0])
    assert "carry red cube for bin" in {texts[number] for number in chunk["subtask"]}


def test_a_tick_names_a_chunk_that_had_been_taken_by_then(episode):
    tick, chunk = episode["tick"], episode["chunk"]
    rows = {number: at for at, number in enumerate(chunk["chunk_id"])}
    named = np.flatnonzero(tick["chunk_id"])
    assert len(named) > 100
    for at in named:
        row = rows[tick["chunk_id"][at]]
        assert chunk["fate"][row] == FATES.index("taken")
        assert chunk.stamps_ns[row] <= tick.stamps_ns[at]
        assert chunk["weights_version"][row] == tick["weights_version"][at] == 1
        if Owner.POLICY in tick["owner"][at]:       # else it is what it wished before the takeover
            assert chunk["epoch"][row] == tick["epoch"][at]


def test_what_the_policy_would_have_done_beside_a_person_is_recorded_alike(episode):
    tick = episode["tick"]
    beside = tick["chunk_id"][tick["mode"] == Mode.HUMAN]
    assert len(np.unique(beside[beside > 0])) > 2


def test_the_targets_are_those_of_the_chunk_and_are_read_by_xarray(desk, episode):
    chunk = desk.chunk
    target = episode["chunk_target"]
    ours = target["chunk_id"] == chunk.chunk_id
    assert_array_equal(target["target"][ours], chunk.targets)
    assert_array_equal(target["step"][ours], np.arange(len(chunk.targets)))
    table = xarray.open_zarr(episode.path / "chunk_target", consolidated=False)
    assert table["target"].shape == target["target"].shape


def test_an_episode_says_which_policy_was_let_drive_and_what_made_it(episode):
    started, = (event for event in episode.events if event["kind"] == "start_policy")
    assert started["weights_version"] == 1
    assert title_of("/somewhere/runs/bin") == "bin" == title_of("runs/bin/")
    assert title_of("/somewhere/runs/bin/checkpoints/000120") == "bin/000120"
    assert {"tandem-studio", "mujoco"} <= made_with().keys()


def test_words_are_numbered_on_every_tick_as_their_edits_say(episode):
    tick, edit = episode["tick"], next(e for e in episode.events if e["kind"] == "instruction")
    assert_array_equal(tick["instruction_id"], (tick["seq"] >= edit["tick"]).astype(int))
    assert edit["instruction_id"] == 1 and edit["after"] == "put the blue cube in the bin"


def test_a_stream_that_comes_when_something_happens_is_no_flaw_of_the_recording(episode):
    assert not [flag for flag in assess(episode).flags if flag.startswith("chunk")]


def test_without_a_policy_no_table_is_declared(tmp_path):
    with DemoStore.open(tmp_path / "s", write=True, create=True) as store:
        desk = RolloutDesk(None, store=store)
        with pytest.raises(AssertionError, match="no policy"):
            desk.begin()
        desk.push(5)
        path = store.episode_path(desk.end())
        desk.robot.disconnect()
    assert "chunk" not in EpisodeReader(path)


def log_of(chunk: Chunk, why: str = "") -> tuple[list, list]:
    """The rows and the events of one refused chunk."""
    log, told = ChunkLog(8), []
    log.cost(chunk.chunk_id, Costs(1.0, 2.0, 3.0))
    log.decided(chunk, 1, why)
    return [b.rows for b in log.take(5, 6, lambda kind, **f: told.append((kind, f)))], told


def test_a_chunk_of_another_robot_leaves_a_row_and_no_targets():
    chunk = Chunk(targets=np.zeros((4, 11)), space="tool", first_ns=1, step_ns=1, observation_ns=1,
                  latent_id=1, latent_ns=1, chunk_id=7)
    rows, told = log_of(chunk, "it was made for another robot")
    assert len(rows) == 1 and rows[0]["steps"][0] == 0 and rows[0]["answer_ms"][0] == 3.0
    assert told == [("text", {"number": 1, "text": "it was made for another robot"})]


def test_a_chunk_in_joints_is_filled_up_with_nan_on_a_small_arm():
    chunk = Chunk(targets=np.ones((3, 5)), space="joints", first_ns=1, step_ns=1, observation_ns=1,
                  latent_id=1, latent_ns=1, chunk_id=7, signature=tuple(range(16)))
    rows, _ = log_of(msgspec.structs.replace(chunk))
    assert np.isnan(rows[1]["target"][:, 5:]).all() and (rows[1]["target"][:, :5] == 1).all()
    assert_array_equal(rows[0]["signature"][0], np.arange(16))


