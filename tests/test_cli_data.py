"""`tandem data` and `tandem replay` on a store that the simulated station really recorded."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recorders.clock import ManualClock
from recorders.episode import EpisodeHeader
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from recorders.streams import Batch
from studio import cli
from studio.sim.operator import ScriptedOperator
from studio.sim.robot import SimRobot
from studio.station.recording.store_sink import StoreSink
from studio.station.session import Session, SessionPlan
from studio.station.station import Station

TASKS = ("push-button", "press-force", "push-button")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "store"
    clock = ManualClock()
    robot, operator = SimRobot(clock, render=False), ScriptedOperator()
    robot.connect()
    operator.connect()
    with DemoStore.open(path, write=True, create=True, clock=clock) as store:
        station = Station(clock=clock, robot=robot, teleop=operator, sink=StoreSink(store))
        session = Session(station, SessionPlan(tasks=TASKS, seed=3, max_duration_s=15.0),
                          simulated=True)
        station.run()
    robot.disconnect()
    assert session.report.done and not session.report.problem
    return path


@pytest.fixture
def store(recorded, tmp_path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(recorded, tmp_path / "store"))


@pytest.fixture
def tandem(capsys):
    """Runs a command with `--json`; returns its exit code and its object."""

    def run(*words: object) -> tuple[int, dict[str, Any]]:
        code = cli.main([*(str(word) for word in words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def ids(path: Path) -> list[str]:
    with DemoStore.open(path) as store:
        return [summary.episode for summary in store.episodes()]


def test_ls_shows_what_scripts_rely_on(tandem, recorded):
    code, listing = tandem("data", "ls", recorded)
    assert code == 0 and [e["task"] for e in listing["episodes"]] == list(TASKS)
    for episode in listing["episodes"]:
        assert {"episode", "task", "label", "duration_s", "steps", "dropped"} <= set(episode)
        assert episode["label"] == episode["detector"] == "success"
        assert episode["label_by"] == "detector"
        assert episode["dropped"] == 0
        assert episode["steps"] == pytest.approx(100 * episode["duration_s"], abs=2)
    assert [e["seed"] for e in listing["episodes"]] == [3, 4, 5]


def test_ls_for_people_is_a_table_with_every_episode(capsys, recorded):
    assert cli.main(["data", "ls", str(recorded)]) == 0
    out = capsys.readouterr().out
    assert all(episode in out for episode in ids(recorded))


def test_show_tells_streams_quality_and_events(tandem, recorded):
    code, shown = tandem("data", "show", recorded, 0)
    streams = {stream["name"]: stream for stream in shown["quality"]["streams"]}
    assert code == 0 and {"tick", "arm", "contact", "sim"} <= set(streams)
    assert streams["arm"]["rate_hz"] == pytest.approx(100, rel=0.02)
    assert shown["quality"]["late_ticks"] == 0


def test_show_for_people_names_every_stream(capsys, recorded):
    assert cli.main(["data", "show", str(recorded), "-1"]) == 0
    out = capsys.readouterr().out
    assert ids(recorded)[-1] in out and "contact" in out and "wrench" in out


def test_an_episode_is_found_by_number_by_beginning_and_by_id(tandem, recorded):
    second = ids(recorded)[1]
    for reference in (1, -2, second[:-2], second):
        assert tandem("data", "show", recorded, reference)[1]["episode"] == second


def test_check_finds_a_sound_store_sound_and_names_a_flipped_bit(tandem, store):
    assert tandem("data", "check", store) == (
        0, {"store": str(store), "episodes": 3, "problems": [], "findings": [],
            "unchecked": {episode: [] for episode in ids(store)}})
    column = store / "data.zarr" / ids(store)[1] / "arm" / "position" / "c" / "0" / "0"
    damaged = bytearray(column.read_bytes())
    damaged[len(damaged) // 2] ^= 0x10
    column.write_bytes(damaged)
    code, found = tandem("data", "check", store)
    assert code == 1
    assert {problem["episode"] for problem in found["problems"]} == {ids(store)[1]}
    assert all(problem["what"] and problem["remedy"] for problem in found["problems"])


def test_a_label_counts_from_now_on_and_says_who(tandem, store):
    code, labelled = tandem("data", "label", store, 0, "partial", "--note", "slow", "--by", "ada")
    assert code == 0 and (labelled["label"], labelled["label_by"]) == ("partial", "ada")
    again = tandem("data", "ls", store)[1]["episodes"][0]
    assert (again["label"], again["note"], again["detector"]) == ("partial", "slow", "success")


def test_a_relabelling_changes_the_words_and_nothing_on_the_disk(tandem, store):
    group = store / "data.zarr" / ids(store)[2]
    before = {path: path.read_bytes() for path in group.rglob("*") if path.is_file()}
    code, changed = tandem("data", "relabel", store, -1, "--instruction", "tap the button")
    assert code == 0
    assert (changed["task"], changed["instruction"]) == ("push-button", "tap the button")
    assert {path: path.read_bytes() for path in group.rglob("*") if path.is_file()} == before


def test_the_trash_gives_back_what_was_put_away(tandem, store):
    first, second, third = ids(store)
    assert tandem("data", "trash", store, 0, 1)[1]["trashed"] == [first, second]
    assert ids(store) == [third]
    listed = tandem("data", "ls", store, "--trashed")[1]["episodes"]
    assert {e["episode"] for e in listed if e["trashed"]} == {first, second}
    assert tandem("data", "restore", store, first, second)[0] == 0
    assert ids(store) == [first, second, third]
    assert tandem("data", "check", store)[0] == 0


def test_one_wrong_name_in_a_list_moves_nothing(tandem, store):
    assert tandem("data", "trash", store, 0, "nonsense")[0] == 2
    assert len(ids(store)) == 3


def test_copies_are_sound_and_keep_their_labels(tandem, store, tmp_path):
    tandem("data", "label", store, 2, "failure")
    code, copied = tandem("data", "copy", store, tmp_path / "other", 0, 2)
    assert code == 0 and copied["copied"] == [ids(store)[0], ids(store)[2]]
    assert tandem("data", "check", tmp_path / "other")[0] == 0
    assert [e["label"] for e in tandem("data", "ls", tmp_path / "other")[1]["episodes"]] == [
        "success", "failure"]


def test_recover_says_when_nothing_was_interrupted(tandem, store):
    assert tandem("data", "recover", store) == (0, {"store": str(store), "recovered": []})


def test_an_interrupted_episode_is_listed_and_recovered(tandem, store, recorded):
    with DemoStore.open(recorded) as reader:
        model = reader.episode(0)
    header = _header_like(recorded, model.episode)
    with DemoStore.open(store, write=True) as writing:
        writing.begin(header).append(_rows_like(recorded, model.episode))
    assert tandem("data", "ls", store)[1]["interrupted"] == [header.episode]
    code, done = tandem("data", "recover", store)
    assert code == 0 and [(r["episode"], r["kept"]) for r in done["recovered"]] == [
        (header.episode, True)]
    assert ids(store)[-1] == header.episode


def _header_like(path: Path, episode: str) -> EpisodeHeader:
    with DemoStore.open(path) as store:
        reader = EpisodeReader(store.episode_path(episode))
    return EpisodeHeader(
        episode="20300101T000000-0123abcd", task="push-button", instruction="push the button",
        seed=0, operator="test", practice=False, robot=reader.attrs["robot"], model_xml="",
        started_mono_ns=reader.attrs["started_mono_ns"], started_wall_ns=0,
        streams=tuple(stream.spec for stream in reader.streams.values()), software={})


def _rows_like(path: Path, episode: str) -> Batch:
    with DemoStore.open(path) as store:
        arm = EpisodeReader(store.episode_path(episode))["arm"]
    rows = np.zeros(len(arm), arm.spec.row_dtype)
    for name in arm.column_names:
        rows[name] = arm[name]
    return Batch("arm", rows)


@pytest.mark.parametrize("words", [("data", "show"), ("data", "trash"), ("replay",),
                                   ("data", "relabel")], ids=" ".join)
def test_an_unknown_episode_is_one_line_that_names_the_valid_ones(capsys, recorded, words):
    assert cli.main([*words, str(recorded), "nonsense"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "nonsense" in err and ids(recorded)[0] in err


@pytest.mark.parametrize("command", ["ls", "check", "recover"])
def test_a_folder_that_is_no_store_is_a_users_mistake(tandem, tmp_path, command):
    code, answer = tandem("data", command, tmp_path / "nowhere")
    assert code == 2 and "nowhere" in answer["error"]


def test_a_second_writer_is_told_who_writes(tandem, store):
    with DemoStore.open(store, write=True):
        code, answer = tandem("data", "label", store, 0, "failure")
    assert code == 2 and "error" in answer
    assert tandem("data", "label", store, 0, "failure")[0] == 0


@pytest.mark.parametrize("number", range(len(TASKS)))
def test_a_replay_from_the_recorded_state_is_exact(tandem, recorded, number):
    code, replayed = tandem("replay", recorded, number)
    assert code == 0 and replayed["same"]
    assert (replayed["recorded"], replayed["replayed"]) == ("success", "success")
    assert replayed["max_object_error_m"] == replayed["max_joint_error_rad"] == 0.0


def test_a_replay_that_ends_differently_is_bad_news(tandem, store):
    """The recording claims a failure that the commands do not produce."""
    metadata = store / "data.zarr" / ids(store)[0] / "zarr.json"
    group = json.loads(metadata.read_text())
    assert group["attributes"]["detector"] == "success"
    group["attributes"]["detector"] = "failure"
    metadata.write_text(json.dumps(group))
    code, replayed = tandem("replay", store, 0)
    assert code == 1 and not replayed["same"]
