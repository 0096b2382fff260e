"""The command `tandem`: names, exit codes, one line for a mistake, one JSON object for a script."""

import ast
import errno
import importlib
import inspect
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import types
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from recorders.store_errors import NoSuchEpisode
from studio import cli
from studio.commands.output import Answer, Screen, UsersMistakeError, readable_bytes
from studio.devices.interfaces import DeviceError

ROOT = Path(__file__).resolve().parent.parent


def run(capsys, *words: str) -> tuple[int, str, str]:
    code = cli.main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def command(monkeypatch):
    """Makes `tandem probe` do whatever a test wants."""

    def install(action) -> None:
        @dataclass(frozen=True, kw_only=True)
        class Probe:
            """A command for tests."""

            json: bool = False
            """One JSON object."""

            def run(self, screen: Screen) -> Answer:
                return action(screen) or Answer({"fine": True})

        module = types.ModuleType("probe_command")
        setattr(module, "Probe", Probe)     # noqa: B010  pyright knows no such module
        monkeypatch.setitem(sys.modules, "probe_command", module)
        monkeypatch.setitem(cli.COMMANDS, "probe", cli.Entry("probe_command", "Probe", "probe"))

    return install


def throw(error: BaseException):
    def action(screen: Screen) -> None:
        raise error
    return action


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["help"]], ids=str)
def test_help_names_every_command(capsys, words):
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert all(f"  {name} " in out for name in cli.COMMANDS)


@pytest.mark.parametrize("words", [["data"], ["data", "--help"]], ids=str)
def test_data_alone_names_its_own_commands(capsys, words):
    code, out, _ = run(capsys, *words)
    assert code == 0 and "data relabel" in out and "teleop" not in out


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_explains_its_options(capsys, name):
    code, out, _ = run(capsys, *name.split(), "--help")
    assert code == 0 and f"tandem {name}" in out and "--json" in out


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_option_has_a_sentence_under_its_field(name):
    entry = cli.COMMANDS[name]
    config = getattr(importlib.import_module(entry.module), entry.config)
    documented: set[str] = set()
    for written in config.__mro__[:-1]:         # options that commands share are inherited
        body = ast.parse(textwrap.dedent(inspect.getsource(written))).body[0]
        assert isinstance(body, ast.ClassDef)
        documented |= {line.target.id for line, below in itertools.pairwise(body.body)
                       if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
                       and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)}
    assert documented == {field.name for field in fields(config)}


@pytest.mark.parametrize("words", [["recrod"], ["data", "list"], ["data", "nothing", "x"]], ids=str)
def test_an_unknown_command_is_one_line_that_names_the_valid_ones(capsys, words):
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "record" in err and "data ls" in err


def test_a_near_miss_is_corrected(capsys):
    assert "did you mean `tandem record`?" in run(capsys, "recrod")[2]


@pytest.mark.parametrize("mistake", [
    UsersMistakeError("say this\ninstead"),
    NoSuchEpisode("no episode '7': valid are 0 to 3"),
    DeviceError("unknown robot"),
    PermissionError(errno.EACCES, "Permission denied", "somewhere"),
    OSError(errno.ENOSPC, "No space left on device"),
], ids=lambda mistake: type(mistake).__name__)
@pytest.mark.parametrize("words", [[], ["--json"]], ids=str)
def test_a_users_mistake_is_one_line_and_exit_code_2(capsys, command, mistake, words):
    command(throw(mistake))
    code, out, err = run(capsys, "probe", *words)
    assert code == 2
    assert err.startswith("tandem: ") and err.count("\n") == 1 and "Traceback" not in err
    if words:
        assert json.loads(out) == {"error": err.removeprefix("tandem: ").strip()}
    else:
        assert out == ""


def test_a_fault_of_ours_keeps_its_traceback(capsys, command):
    command(throw(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError):
        cli.main(["probe"])


@pytest.mark.parametrize("words", [["tasks", "--nothing"], ["data", "ls"],
                                   ["record", "--seed", "x"]], ids=str)
def test_options_that_cannot_be_understood_are_exit_code_2(capsys, words):
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "") and err
    code, out, _ = run(capsys, *words, "--json")
    assert code == 2 and list(json.loads(out)) == ["error"]


def test_bad_news_is_exit_code_1(capsys, command):
    command(lambda screen: Answer({"problems": 1}, ok=False))
    assert run(capsys, "probe", "--json")[:2] == (1, '{"problems":1}\n')


def test_json_is_the_only_thing_on_stdout_whatever_is_printed(capsys, command):
    def chatty(screen: Screen) -> Answer:
        print("hello from a library")
        screen.print("for people")
        screen.say("for people")
        screen.table("title", ("a",), [(1,)])
        with screen.progress("work", 1) as progress:
            progress.step("one")
        return Answer({"value": float("nan")})

    command(chatty)
    code, out, err = run(capsys, "probe", "--json")
    assert code == 0 and json.loads(out) == {"value": None}
    assert "hello from a library" in err and "[1/1] one" in err


def test_results_are_on_stdout_and_remarks_on_stderr(capsys, command):
    def speak(screen: Screen) -> None:
        screen.table("", ("name", "count"), [("cube", 3)])
        screen.say("a remark")

    command(speak)
    _, out, err = run(capsys, "probe")
    assert "cube" in out and err == "a remark\n"


def test_ctrl_c_is_exit_code_130_without_a_traceback(capsys, command):
    command(throw(KeyboardInterrupt()))
    assert run(capsys, "probe") == (130, "", "tandem: stopped\n")


def test_a_polite_kill_ends_as_ctrl_c_does_and_the_handler_is_put_back(capsys, command):
    before = signal.getsignal(signal.SIGTERM)
    command(lambda screen: os.kill(os.getpid(), signal.SIGTERM))
    assert run(capsys, "probe")[0] == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_reader_that_goes_away_is_no_error():
    pipeline = 'set -o pipefail; "$0" -m studio.cli tasks --json | head -c1'
    done = subprocess.run(["bash", "-c", pipeline, sys.executable], cwd=ROOT, capture_output=True,
                          text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")


def test_tasks_lists_names_and_instructions(capsys):
    tasks = json.loads(run(capsys, "tasks", "--json")[1])["tasks"]
    assert [task["name"] for task in tasks] == [
        "put-cube-in-bin", "stack-cubes", "push-button", "open-drawer", "press-force",
        "bin-then-button", "bin-by-place", "stack-by-place", "stack-odd", "bin-in-order",
        "button-then-bin"]
    assert all(len(task["instructions"]) >= 3 for task in tasks)
    assert "put the red cube in the bin" in tasks[0]["instructions"]


def test_listing_the_tasks_starts_no_simulator():
    probe = ("import sys\nfrom studio import cli\nassert cli.main(['tasks', '--json']) == 0\n"
             "print([n for n in ('mujoco', 'torch', 'zarr', 'zmq', 'mink') if n in sys.modules])")
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version_names_what_a_bug_report_needs(capsys):
    versions = json.loads(run(capsys, "--version", "--json")[1])["versions"]
    assert versions["lerobot"] == "0.6.1" and versions["python"].startswith("3.12")
    assert "missing" not in versions.values()


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"),
                                             (2_000_000, "2.0 MB"), (3 * 10**12, "3.0 TB")])
def test_sizes_are_readable(count, text):
    assert readable_bytes(count) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_a_terminal_and_remarks_stand_above_it():
    err = Terminal()
    screen = Screen(json=False, out=io.StringIO(), err=err)
    with screen.progress("recording", 2) as progress:
        progress.step("one")
        screen.say("[watch] out")
        progress.now("moving")
    screen.say("afterwards")
    drawn = err.getvalue()
    assert "recording" in drawn and "[watch] out" in drawn and drawn.endswith("afterwards\n")


def test_in_a_log_every_finished_step_is_a_line_and_nothing_else():
    err = io.StringIO()
    with Screen(json=False, out=io.StringIO(), err=err).progress("recording", 2) as progress:
        progress.now("moving")
        progress.count(1, 2)
        progress.step("one")
    assert err.getvalue() == "[1/2] one\n"
