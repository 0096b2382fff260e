"""`tandem` alone, and its commands `web`, `console`, `desk`: what they start and refuse."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorders.clock import SystemClock
from recorders.store import DemoStore
from studio import cli
from studio.commands.desk import DeskOptions
from studio.commands.output import Answer, Screen
from studio.commands.running_desk import state_of
from studio.station.desk.address import announce
from studio.station.desk.link import DeskState
from studio.station.processes.endpoints import Endpoints, private_endpoints
from studio.station.training.training_link import TrainingState

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No desk of the person who runs the tests is found here; short, as sockets' paths must be."""
    with tempfile.TemporaryDirectory(prefix="desk") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What a desk would have been told."""
    told: list[dict] = []

    def serve(self: DeskOptions, screen: Screen, **options: object) -> Answer:
        told.append(options | {"teleop": self.teleop})
        return Answer({"fine": True})

    monkeypatch.setattr(DeskOptions, "serve", serve)
    return told


def probe(monkeypatch: pytest.MonkeyPatch, problem: str) -> None:
    monkeypatch.setattr("studio.console.probe.display_problem", lambda: problem)


def test_a_desk_that_goes_on_speaking_is_waited_for_without_an_end():
    spoken = iter((True, True, False))

    class Client:
        state = DeskState(stamp_ns=0)

        def look(self) -> None:
            self.state = DeskState(stamp_ns=SystemClock().now_ns(),
                                   training=TrainingState(running=next(spoken)))

    client: Any = Client()
    ended = state_of(client, lambda now: not now.training.running, math.inf)
    assert not ended.training.running and next(spoken, None) is None


def test_tandem_alone_opens_a_window_on_a_desk(served, monkeypatch):
    probe(monkeypatch, "")
    assert cli.main([]) == 0
    assert cli.main(["--teleop", "gamepad"]) == 0
    assert served == [{"console": True, "web": False, "teleop": "keyboard"},
                      {"console": True, "web": False, "teleop": "gamepad"}]


def test_without_a_display_the_web_console_comes_instead_and_one_line_says_so(
        served, monkeypatch, capsys):
    probe(monkeypatch, "there is no display")
    assert cli.main([]) == 0
    assert served == [{"console": False, "web": True, "teleop": "keyboard"}]
    (line,) = capsys.readouterr().err.splitlines()
    assert "there is no display" in line and "web console" in line


def test_the_web_console_is_bound_to_this_machine_unless_there_is_a_password(
        served, monkeypatch, capsys):
    assert cli.main(["web", "--host", "0.0.0.0"]) == 2
    assert "password" in capsys.readouterr().err
    monkeypatch.setenv("TANDEM_PASSWORD", "sesame")
    assert cli.main(["web", "--host", "0.0.0.0"]) == 0
    assert served[-1]["web_options"] == {"host": "0.0.0.0", "port": 7860, "password": "sesame"}
    monkeypatch.delenv("TANDEM_PASSWORD")
    assert cli.main(["web"]) == 0
    assert served[-1]["web_options"]["host"] == "127.0.0.1"


def test_a_window_needs_a_running_desk_and_a_display(monkeypatch, capsys):
    probe(monkeypatch, "")
    assert cli.main(["console"]) == 2
    assert "no desk runs" in capsys.readouterr().err
    probe(monkeypatch, "there is no display")
    assert cli.main(["console"]) == 2
    assert capsys.readouterr().err == "tandem: there is no display\n"


def test_a_second_desk_is_one_line(capsys, tmp_path):
    with private_endpoints() as links, announce(links):
        assert cli.main(["desk", "--store", str(tmp_path / "store")]) == 2
        error = capsys.readouterr().err
        assert error.startswith("tandem: a desk runs already") and error.count("\n") == 1
        assert cli.main([]) == 2 and capsys.readouterr().err == error
        assert cli.main(["web", "--port", "8000"]) == 2
        assert "leave out --port" in capsys.readouterr().err


def test_the_password_is_taken_from_where_ps_does_not_show_it(
        monkeypatch, served, capsys, tmp_path):
    file = tmp_path / "password"
    file.write_text("sesame\nand a second line\n")
    away = ["web", "--host", "0.0.0.0"]
    assert cli.main([*away, "--password-file", str(file)]) == 0
    monkeypatch.setenv("TANDEM_PASSWORD", "from the environment")
    assert cli.main(away) == 0
    assert [one["web_options"]["password"] for one in served] == ["sesame", "from the environment"]
    assert "can read" not in capsys.readouterr().err
    assert cli.main([*away, "--password", "seen by all"]) == 0
    assert "can read --password (`ps`)" in capsys.readouterr().err


def test_a_password_file_that_says_nothing_is_refused_in_a_line(served, capsys, tmp_path):
    (tmp_path / "empty").write_text("\n")
    for file, words in (("nowhere", "cannot be read"), ("empty", "is empty")):
        assert cli.main(["web", "--password-file", str(tmp_path / file)]) == 2
        assert words in capsys.readouterr().err
    assert cli.main(["web", "--password-file", "a", "--password", "b"]) == 2
    assert served == []


def test_at_a_terminal_the_password_is_asked_for_only_where_one_is_needed(monkeypatch, served):
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        assert cli.main(["web"]) == 0                       # this machine only: nobody is asked
        monkeypatch.setattr("getpass.getpass", lambda question: "typed" * ("0.0" in question))
        assert cli.main(["web", "--host", "0.0.0.0"]) == 0
    os.close(ours)
    assert [one["web_options"]["password"] for one in served] == ["", "typed"]


@pytest.mark.parametrize(("words", "said"), [
    (["desk", "--teleop", "telepathy"], "gamepad"),
    (["desk", "--robot", "industrial"], "sim"),
    (["desk", "--task", "fold-laundry"], "push-button"),
])
def test_an_unknown_name_is_refused_with_the_valid_ones(capsys, words, said):
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err


def test_a_store_that_somebody_else_writes_is_refused_before_anything_starts(capsys, tmp_path):
    with DemoStore.open(tmp_path / "store", write=True, create=True):
        assert cli.main(["desk", "--store", str(tmp_path / "store")]) == 2
    assert "is being written" in capsys.readouterr().err


def test_what_was_answered_first_stands():
    out = io.StringIO()
    screen = Screen(json=True, out=out, err=io.StringIO())
    screen.answer(Answer({"ready": True}))
    screen.answer(Answer({"ended": True}))
    screen.error("stopped")
    assert json.loads(out.getvalue()) == {"ready": True}


@pytest.mark.slow
def test_a_desk_says_when_it_is_ready_and_ctrl_c_ends_it_whole(tmp_path, runtime):
    desk = subprocess.Popen(
        [sys.executable, "-m", "studio.cli", "desk", "--json", "--headless", "--teleop", "none",
         "--store", str(tmp_path / "store")], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)})
    assert desk.stdout is not None
    said = json.loads(desk.stdout.readline())
    assert said["store"] == str(tmp_path / "store")
    assert {link.name for link in Path(said["links"]).iterdir()} <= set(Endpoints.__struct_fields__)
    desk.send_signal(signal.SIGINT)
    rest, errors = desk.communicate(timeout=60)
    assert (desk.returncode, rest) == (130, "")
    assert "the desk is ready: sim, driven by none" in errors and "Traceback" not in errors
    assert not Path(said["links"]).exists()
