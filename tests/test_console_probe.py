"""A window that cannot be opened is one line, and never an abort of the process."""

import os
import subprocess
import sys

import msgspec
import pytest
from doubles.desktop import ROOT, missing, virtual_screen

from studio.console.app import ConsoleConfig
from studio.console.probe import display_problem, screen_size
from studio.console.window import within
from studio.station.processes.endpoints import private_endpoints

pytestmark = pytest.mark.alone

needs_xvfb = pytest.mark.skipif(bool(missing()), reason=missing())


def test_no_display_and_a_dead_one_are_told_apart_and_say_what_else_there_is(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    for problem, word in ((display_problem(), "there is no display"),
                          (display_problem(":4711"), "':4711' cannot be opened")):
        assert word in problem and "tandem web" in problem and "\n" not in problem


@needs_xvfb
def test_a_display_without_opengl_is_refused_and_one_with_it_is_not(tmp_path):
    with virtual_screen(tmp_path, (640, 480), glx=False) as screen:
        assert "OpenGL" in display_problem(screen.display)
    with virtual_screen(tmp_path, (640, 480)) as screen:
        assert display_problem(screen.display) == ""


@needs_xvfb
def test_a_window_is_never_larger_than_the_screen_so_that_the_stop_is_in_sight(
        tmp_path, monkeypatch):
    with virtual_screen(tmp_path, (1280, 720)) as screen:
        monkeypatch.setenv("DISPLAY", screen.display)
        assert screen_size() == (1280, 720)
    assert within((1600, 930), (1280, 720)) == (1280, 720)
    assert within((1000, 700), (1280, 720)) == (1000, 700)
    assert within((1600, 930), (0, 0)) == (1600, 930)       # nobody knows the screen


@pytest.mark.parametrize("display", ["", ":4711"])
def test_the_consoles_process_ends_with_a_reason_and_does_not_abort(display):
    with private_endpoints() as links:
        config = msgspec.json.encode(ConsoleConfig(links=links)) + b"\n"
        done = subprocess.run(
            [sys.executable, "-m", "studio.station.processes.worker", "console", "console"],
            cwd=ROOT, input=config, capture_output=True, timeout=120, check=False,
            env=os.environ | {"DISPLAY": display})
    report = msgspec.json.decode(done.stdout.splitlines()[-1])
    assert (done.returncode, report["kind"]) == (1, "failed")
    assert "tandem web" in report["text"]


def test_the_command_ends_with_code_2_and_one_line():
    done = subprocess.run([sys.executable, "-m", "studio.cli", "console"], cwd=ROOT, timeout=120,
                          capture_output=True, text=True, check=False,
                          env=os.environ | {"DISPLAY": ""})
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and "tandem web" in done.stderr
