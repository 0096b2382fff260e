"""Learning at a real desk with a real trainer: begun, watched, promoted and taken back, from the
command line, by mouse in the window, and in the page.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from doubles.browser import chromium, open_browser
from doubles.desktop import missing, open_desktop, virtual_screen
from doubles.learned_toys import SIMULATED, learned_toys
from doubles.seat import Seat, seated

from policy.versions.gate import GateFigures
from policy.versions.ledger import Entry, append, read_ledger
from studio import cli
from studio.station.desk.address import announce
from studio.station.desk.link import DeskState, OpenWeb

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.gl, pytest.mark.timeout(600)]
SIZE = (1280, 720)
SMALL = {"image_size": [64, 96], "depth": False, "camera_hz": 5.0}  # nobody drives here


class Place(NamedTuple):
    """A desk, its folder, and somebody at it."""

    seat: Seat
    folder: Path

    def until(self, reached: Callable[[DeskState], Any]) -> DeskState:
        """Look until something is so; returns the state."""
        self.seat.until(lambda: self.seat.client.state is not None and reached(self.seat.state))
        return self.seat.state

    def has_learned(self) -> None:
        """Wait until the trainer has made a few steps."""
        self.until(lambda now: now.training.running and not now.training.trainer.doing
                   and now.training.trainer.step > now.versions.versions[-1].number + 3)

    def ended(self) -> int:
        """Wait until it has ended and its newest version is listed; returns that one's number."""
        state = self.until(lambda now: not now.training.running and now.versions.versions
                           and now.versions.versions[-1].run == now.training.trainer.run)
        return state.versions.versions[-1].number


    def measured(self, number: int, position_m: float = 0.0) -> None:
        """Somebody has measured it beside the version that drives: the gate need not."""
        drives = self.seat.state.versions
        run = next(one.run for one in drives.versions if one.number == number)
        append(Path(run), Entry(wall_ns=1, what="measured", version=number, figures=GateFigures(
            against=drives.driving, against_run=drives.driving_run, measure="action error",
            episodes=2, held_out=0.1, held_out_before=0.1, position_m=position_m,
            rotation_rad=0.0, gripper_flips=0.0, moments=9)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One desk for all, because its processes take seconds to start; of a short name, because
    sockets lie in it.
    """
    folder = tmp_path_factory.mktemp("tune")
    run, store = learned_toys(folder, SIMULATED)
    with (pytest.MonkeyPatch.context() as environment,
          seated(task="put-cube-in-bin", robot_options=SMALL, store=str(store), policy=str(run),
                 stays=True) as seat):
        environment.setenv("XDG_RUNTIME_DIR", str(folder))
        with announce(seat.links):
            there = Place(seat, folder)
            there.until(lambda now: now.versions.driving == 2 and not now.policy.loading)
            yield there


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    """A command's exit code, and what it answered."""
    code = cli.main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_training_is_begun_watched_and_ended_from_the_command_line(
        place, capsys, monkeypatch, tmp_path):
    refused = said(capsys, "tune", "stop")
    assert refused[0] == 2 and "no training goes on" in refused[1]["error"]
    code, answer = said(capsys, "tune", "start", "--method", "dagger")
    assert code == 2 and "valid are all, hg-dagger" in answer["error"]

    code, answer = said(capsys, "tune", "start", "--method", "iwr")
    assert code == 0 and answer["run"].endswith("x-tuned-1")
    code, again = said(capsys, "tune", "start")
    assert code == 2 and "stop it first" in again["error"]
    place.has_learned()
    code, state = said(capsys, "tune", "status")
    assert code == 0 and state["training"]["running"] and state["driving"] == 2
    assert state["training"]["trainer"]["method"] == "iwr"

    code, state = said(capsys, "tune", "stop")
    assert code == 0 and not state["training"]["running"] and state["training"]["resumable"]
    number = place.ended()
    assert cli.main(["tune", "status"]) == 0
    shown = capsys.readouterr().out
    assert "Stopped" in shown and f"{number}; `tandem promote VERSION`" in shown

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for words in (["tune", "start"], ["tune", "stop"], ["tune", "status"]):
        assert cli.main(words) == 2
        error = capsys.readouterr().err
        assert "no desk runs" in error and error.count("\n") == 1


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_version_is_trained_let_drive_and_taken_back_by_mouse_in_the_window(place: Place):
    place.until(lambda now: now.versions.driving == 2)
    with (virtual_screen(place.folder, SIZE) as screen,
          open_desktop(place.folder, place.seat.links, screen, SIZE) as desktop):
        while "train" not in desktop.places:
            desktop.click("train tab")
        desktop.click("train")
        desktop.hear("answer", command="StartTraining", accepted=True)
        place.has_learned()
        desktop.click("train")                  # it says Stop now
        desktop.hear("answer", command="StopTraining", accepted=True)
        number = place.ended()

        place.measured(number, position_m=0.2)
        desktop.click("let drive 0")
        place.until(lambda now: now.versions.refused)
        desktop.click("reason")
        screen.hands("type", "look 2")          # a hot-key elsewhere: "a failure"
        desktop.click("let drive 0")
        state = place.until(lambda now: now.versions.driving == number)
        assert state.versions.before == 2
        desktop.click("roll back")
        desktop.hear("answer", command="RollBack", accepted=True)
        place.until(lambda now: now.versions.driving == 2)
    entries = [entry for entry in read_ledger(Path(state.versions.driving_run))
               if entry.what != "measured"]
    assert [(entry.what, entry.version) for entry in entries] == [
        ("refused", number), ("promoted", number), ("rolled back", number)]
    assert entries[1].reason == "look 2" and not entries[0].reason
    assert {entry.by for entry in entries} == {"desktop"}


@pytest.mark.skipif(not chromium(), reason="no chromium: run .ci/setup")
def test_a_version_is_trained_let_drive_and_taken_back_in_the_page(place: Place):
    place.until(lambda now: now.versions.driving == 2)
    assert place.seat.asked(OpenWeb()).accepted
    url = place.until(lambda now: now.web_url).web_url
    with open_browser(place.folder) as browser:
        browser.open(url)
        browser.tab("Train")
        browser.shows("#versions", "Drives")
        page = browser.page
        page.locator("#train-start").click()
        browser.shows("#training", "Trains")
        place.has_learned()
        page.locator("#train-stop").click()
        number = place.ended()
        browser.shows("#training", "Stopped")
        browser.shows("#versions", f"Version {number}")

        place.measured(number)
        page.locator("#version input").click()
        page.get_by_role("option", name=f"Version {number},").click()
        page.locator("#promote").click()
        run = place.until(lambda now: now.versions.driving == number).versions.driving_run
        browser.shows("#versions", f"version {number} drives")
        page.locator("#roll-back").click()
        place.until(lambda now: now.versions.driving == 2)
        browser.shows("#versions", "version 2 drives again")
        assert browser.mistakes == []
    decided = [entry for entry in read_ledger(Path(run)) if entry.what != "measured"]
    assert [(entry.what, entry.by) for entry in decided] == [
        ("promoted", "page"), ("rolled back", "page")]
