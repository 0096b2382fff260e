"""A policy whose cameras are later here than they were in training: said, noted, never refused."""

import json

import pytest
from doubles import toy_demonstrations as toy
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy
from doubles.snapshots import snapshot

from policy.runs.latencies import LATENCY, cameras_latencies, other_latencies
from policy.runs.run_folder import RunFolder, RunState
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from recorders.streams import StreamSpec
from studio import cli
from studio.station.messages import PolicyHealth
from studio.station.serving.policy_loading import remark_on
from studio.views.problems import problems_of

REMARK = "camera front is 35 ms late here and was 20 ms late in training"


def streams(**latency_ms: float) -> list[StreamSpec]:
    return [StreamSpec(name="tick", rate_hz=100.0), *(
        StreamSpec(name=name, rate_hz=30.0, latency_ns=round(late * 1e6))
        for name, late in latency_ms.items())]


@pytest.mark.parametrize(("here", "said"), [
    (20.0, ""), (29.9, ""), (10.1, ""),                         # less than a tick is no difference
    (35.0, "camera front is 35 ms late here and was 20 ms late in training: "),
    (0.0, "camera front is 0 ms late here and was 20 ms late in training: ")])
def test_a_camera_that_is_later_or_less_late_by_more_than_a_tick_is_named(here, said):
    line = other_latencies({"front": [20.0, 20.0]}, streams(front=here, wrist=300.0), 10.0)
    assert line.startswith(said) and bool(line) == bool(said) and "\n" not in line


def test_what_lies_between_the_least_and_the_most_of_training_is_no_difference():
    learned = {"front": [0.0, 40.0]}
    assert other_latencies(learned, streams(front=25.0), 10.0) == ""
    assert "was 0 to 40 ms late" in other_latencies(learned, streams(front=60.0), 10.0)


def test_a_run_that_does_not_say_and_a_policy_of_others_are_not_remarked_upon(tmp_path):
    assert other_latencies({}, streams(front=100.0), 10.0) == ""
    assert remark_on(str(tmp_path), streams(front=100.0)) == ""
    assert remark_on("ws://somewhere:8000", streams(front=100.0)) == ""


def test_a_run_says_how_late_the_cameras_of_its_stores_were_and_is_asked_when_it_drives(tmp_path):
    store, others = tmp_path / "store", toy.make_store(tmp_path / "toys", episodes=1)
    assert cli.main(["record", "--task", "push-button", "--fast", "--image-size", "48", "64",
                     "--to", str(store), "--json", "--episodes", "1", "--latency",
                     "{front: 12}"]) == 0
    found = cameras_latencies([store, others], ["front", "wrist", "none"])
    assert found == {"front": [0.0, 12.0], "wrist": [0.0, 0.0]}
    run = RunFolder.create(tmp_path / "run", {"kind": "small", LATENCY: found})
    run.save(RunState(step=1, minutes=0.0, seed=0), {})
    assert remark_on(str(run.path), streams(front=0.0, wrist=0.0)) == ""
    assert "camera wrist is 50 ms late here" in remark_on(str(run.path), streams(wrist=50.0))


def test_an_episode_that_cannot_be_read_and_one_in_the_trash_are_not_asked(tmp_path):
    toy.make_store(tmp_path / "store", episodes=3)
    with DemoStore.open(tmp_path / "store", write=True) as store:
        broken, thrown, _ = [store.episode_path(one.episode) / "zarr.json"
                             for one in store.episodes()]
        broken.write_text("{")
        told = json.loads(thrown.read_bytes())
        for spec in told["attributes"]["streams"]:
            spec["latency_ns"] = 70_000_000
        thrown.write_text(json.dumps(told))
        store.trash(1)
    assert cameras_latencies([tmp_path / "store"], ["front"]) == {"front": [0.0, 0.0]}


def test_it_is_noted_in_every_episode_and_shown_at_the_consoles(tmp_path):
    with DemoStore.open(tmp_path / "store", write=True, create=True) as store:
        desk = RolloutDesk(RulePolicy(), store=store)
        assert desk.driver is not None
        desk.driver.remark = REMARK
        desk.driver._note = desk.station.feed.event
        for seed in (5000, 5001):
            desk.begin(seed)
            desk.ticks(20)
            desk.end()
        desk.robot.disconnect()
        for kept in store.episodes():
            noted = [one for one in EpisodeReader(store.episode_path(kept.episode)).events
                     if one.get("remark")]
            assert len(noted) == 1, noted
    health = PolicyHealth(alive=True, remark=REMARK)
    (said,) = problems_of(snapshot(policy=health), None, False)
    assert said == REMARK.capitalize()
