"""`tandem record`, `teleop` and `demo`: the whole station, started from the command line."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles.snapshots import snapshot

from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio import cli
from studio.commands.output import Screen
from studio.commands.session_keys import DRIVE_HELP, SessionKeys
from studio.commands.session_run import run_and_tell
from studio.devices.keyboard import KEYS
from studio.station import launch
from studio.station.commands import Arm, DiscardEpisode, EndEpisode, Keys, Rearm, Reply, Stop
from studio.station.launch import SessionRequest
from studio.station.messages import Mode
from studio.station.processes.supervisor import WorkerFailed
from studio.station.robots import robot_names
from studio.station.session import SessionPlan

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parent.parent
SMALL = ("--image-size", "48", "64")


@pytest.fixture
def tandem(capsys):
    """Runs a command with `--json`; returns its exit code and its object."""

    def run(*words: object) -> tuple[int, dict[str, Any]]:
        code = cli.main([*(str(word) for word in words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def sent_commands(path: Path) -> list[np.ndarray]:
    with DemoStore.open(path) as store:
        return [EpisodeReader(store.episode_path(summary.episode))["tick"]["sent"]
                for summary in store.episodes()]


@pytest.mark.gl
def test_record_adds_to_a_store_and_a_seed_repeats_an_episode(tandem, tmp_path):
    words = ("record", "--task", "push-button", "--fast", "--seed", 5, *SMALL,
             "--to", tmp_path / "store")
    code, answer = tandem(*words, "--episodes", 2)
    assert code == 0 and answer["labels"] == {"success": 2}
    assert [e["seed"] for e in answer["episodes"]] == [5, 6]
    assert all(e["dropped"] == 0 for e in answer["episodes"])
    code, again = tandem(*words, "--episodes", 1)
    assert code == 0 and again["episodes"][0]["label"] == "success"
    listed = tandem("data", "ls", tmp_path / "store")[1]["episodes"]
    assert listed == answer["episodes"] + again["episodes"]
    assert tandem("data", "check", tmp_path / "store")[0] == 0
    first, other, repeated = sent_commands(tmp_path / "store")
    np.testing.assert_array_equal(repeated, first)
    assert other.shape != first.shape or not np.array_equal(other, first)


@pytest.mark.gl
def test_record_in_real_time_passes_through_the_same_store(tandem, tmp_path):
    code, answer = tandem("record", "--task", "push-button", "--episodes", 1, "--headless",
                          *SMALL, "--to", tmp_path / "store")
    assert code == 0 and len(answer["episodes"]) == 1
    assert tandem("data", "check", tmp_path / "store")[0] == 0


@pytest.mark.gl
def test_teleop_keeps_nothing(tandem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, answer = tandem("teleop", "--teleop", "scripted", "--task", "push-button", "--scenes", 1,
                          "--fast")
    assert code == 0 and [scene["detector"] for scene in answer["scenes"]] == ["success"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.gl
def test_ctrl_c_keeps_what_was_recorded_and_leaves_no_process_behind(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "studio.cli", "record", "--task", "push-button", "--fast",
         "--episodes", "500", *SMALL, "--to", tmp_path / "store"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("[1/500]"):
            break
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err and err.endswith("tandem: stopped\n")
    with DemoStore.open(tmp_path / "store", write=True) as store:     # nobody holds the lock
        assert len(store.episodes()) >= 1
        assert store.check() == []
        assert store.interrupted() == []


@pytest.mark.gl
@pytest.mark.slow
def test_demo_records_checks_replays_and_says_where_to_look(tandem, tmp_path):
    code, answer = tandem("demo", "--episodes", 1, "--to", tmp_path, *SMALL)
    assert code == 0 and answer["damage"] == [] and answer["problem"] == ""
    assert len(answer["tasks"]) == 6
    for task in answer["tasks"]:
        assert task["replay"]["same"]
        assert task["replay"]["max_object_error_m"] == 0.0
    assert all(task["task"] in Path(answer["table"]).read_text() for task in answer["tasks"])
    assert Path(answer["rrd"]).stat().st_size > 10_000


@pytest.mark.parametrize(("words", "valid"), [
    (("--task", "nothing"), "put-cube-in-bin"),
    (("--robot", "nothing"), "sim"),
    (("--teleop", "nothing"), "spacemouse"),
    (("--teleop", "spacemouse", "--fast"), "scripted"),
    (("--episodes", "0"), "at least one"),
    (("--seed", "-1"), "--seed must be 0 or more"),
    (("--image-size", "0", "0"), "16 to 4096 px"),
], ids=str)
def test_what_cannot_be_recorded_is_one_line_that_names_what_can(
        tandem, capsys, tmp_path, words, valid):
    code, answer = tandem("record", *words, "--to", tmp_path / "store")
    assert code == 2 and valid in answer["error"]
    assert not (tmp_path / "store").exists()


def test_a_store_that_cannot_be_written_is_said_before_anything_starts(tandem, tmp_path):
    (tmp_path / "file").write_text("no folder")
    assert tandem("record", "--fast", "--to", tmp_path / "file" / "store")[0] == 2
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    assert tandem("record", "--fast", "--to", tmp_path / "other")[0] == 2
    with DemoStore.open(tmp_path / "busy", write=True, create=True):
        code, answer = tandem("record", "--fast", "--to", tmp_path / "busy")
    assert code == 2 and str(os.getpid()) in answer["error"]


@pytest.mark.parametrize("there", [False, True])
def test_a_session_that_cannot_start_leaves_no_store_that_was_not_there(
        tandem, tmp_path, monkeypatch, there):
    def refuse(*_: object, **__: object) -> str:
        raise WorkerFailed("the robot did not start: no arm")

    monkeypatch.setattr(launch, "run_session", refuse)
    store = tmp_path / "store"
    if there:
        DemoStore.open(store, write=True, create=True).close()
    assert tandem("record", "--fast", "--to", store) == (
        2, {"error": "the robot did not start: no arm"})
    assert store.exists() == there


@pytest.mark.parametrize("command", ["record", "teleop", "tasks"])
def test_the_help_names_every_environment_that_can_be_a_robot(command, capsys):
    cli.main([command, "--help"])
    told = "".join(capsys.readouterr().out.replace("│", "").split())
    families = {name.partition("/")[0] for name in robot_names()}
    assert len(families) > 2 and all(name in told for name in families)


def session_keys(driving: bool, refusal: str = "") -> tuple[SessionKeys, list[Any], list[str]]:
    told: list[Any] = []
    said: list[str] = []

    def call(command: Any) -> Reply:
        told.append(command)
        return Reply(not refusal, refusal)

    keys = SessionKeys(driving, said.append)
    keys.held(frozenset("w"), 1)
    keys.send()
    assert told == []                   # nobody serves yet
    keys.attach(call)
    return keys, told, said


def test_driving_keys_are_sent_every_time_also_when_nothing_is_held():
    keys, told, _ = session_keys(driving=True)
    keys.send()
    keys.held(frozenset(), 2)
    keys.send()
    assert told == [Keys(("w",), 1), Keys((), 2)]


def test_a_session_key_acts_once_per_press_and_a_refusal_is_told():
    keys, told, said = session_keys(driving=False, refusal="no episode is open")
    keys.held(frozenset({"right"}), 2)
    keys.held(frozenset({"right"}), 3)
    keys.send()
    assert told == [EndEpisode()] and said == ["no episode is open"]
    keys.held(frozenset(), 4)
    keys.held(frozenset({"right"}), 5)
    keys.held(frozenset({"left", "2", "space"}), 6)
    keys.send()
    assert told[1:] == [EndEpisode(), EndEpisode(label="failure"), DiscardEpisode(),
                        Stop("the operator pressed the space bar")]


def test_enter_re_arms_a_stopped_station_and_arms_another():
    keys, told, _ = session_keys(driving=False)
    for mode, wanted in ((Mode.STOP, Rearm()), (Mode.IDLE, Arm()), (Mode.HOLD, Arm())):
        keys.seen(mode)
        keys.held(frozenset(), 2)
        keys.held(frozenset({"enter"}), 3)
        keys.send()
        assert told[-1] == wanted


@pytest.mark.parametrize("watched", [False, True])
def test_a_fault_is_said_once_where_no_terminal_shows_it(watched, monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(said, "isatty", lambda: watched)
    broken = snapshot(Mode.FAULT, reason="the arm is gone: replug it")

    def run(request: SessionRequest, *, on_snapshot: Any, **_: Any) -> str:
        for seen in (snapshot(), broken, broken, snapshot(Mode.STOP, reason="the space bar")):
            on_snapshot(seen)
        return ""

    monkeypatch.setattr(launch, "run_session", run)
    plan = SessionPlan(tasks=("push-button",))
    run_and_tell(Screen(json=False, err=said), SessionRequest(plan=plan), "driving", [])
    assert said.getvalue().count("the arm is gone: replug it\n") == (0 if watched else 1)
    assert watched or "space bar" not in said.getvalue()


def test_the_line_about_keys_names_every_key():
    words = set(DRIVE_HELP.lower().replace("capital letters:", "shift").split())
    assert {key for key in KEYS if key not in words} == set()
