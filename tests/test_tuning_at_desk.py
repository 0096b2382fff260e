"""Learning at a real desk with a real trainer: begun, watched, promoted and taken back, from the
command line, by mouse in the window, and in the page.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
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
        """Wait until it has ended and its last version is listed; returns that one's number."""
        def last(now: DeskState) -> bool:
            trainer, versions = now.training.trainer, now.versions.versions
            return bool(not now.training.running and not trainer.doing and versions
                        and versions[-1].run == trainer.run
                        and versions[-1].number >= trainer.step)

        return self.until(last).versions.versions[-1].number

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


class Trained(NamedTuple):
    """What the commands answered around a training, and the number of its last version."""

    number: int
    answers: dict[str, tuple[int, Any]]
    shown: str


@pytest.fixture(scope="module")
def trained(place: Place) -> Trained:
    """A training from the command line: begun, watched, ended. One for all, because it takes long.
    """
    answers = {"stop nothing": said("tune", "stop"),
               "start wrongly": said("tune", "start", "--method", "dagger"),
               "start": said("tune", "start", "--method", "iwr"),
               "start again": said("tune", "start")}
    place.has_learned()
    answers |= {"status": said("tune", "status"), "stop": said("tune", "stop")}
    number = place.ended()
    with redirect_stdout(io.StringIO()) as shown:
        assert cli.main(["tune", "status"]) == 0
    return Trained(number, answers, shown.getvalue())


def said(*words: str) -> tuple[int, Any]:
    """A command's exit code, and what it answered."""
    with redirect_stdout(io.StringIO()) as told:
        code = cli.main([*words, "--json"])
    return code, json.loads(told.getvalue())


def decided(run: str, by: str) -> list[Entry]:
    """What a console decided about a run's versions."""
    return [entry for entry in read_ledger(Path(run)) if entry.by == by]


def test_a_training_is_begun_watched_and_ended_from_the_command_line(trained: Trained):
    answers = trained.answers
    for asked, why in {"stop nothing": "no training goes on", "start again": "stop it first",
                       "start wrongly": "valid are all, hg-dagger"}.items():
        code, answer = answers[asked]
        assert code == 2 and why in answer["error"]
    code, answer = answers["start"]
    assert code == 0 and answer["run"].endswith("x-tuned-1")
    code, state = answers["status"]
    assert code == 0 and state["training"]["running"] and state["driving"] == 2
    assert state["training"]["trainer"]["method"] == "iwr"
    code, state = answers["stop"]
    assert code == 0 and not state["training"]["running"] and state["training"]["resumable"]
    assert "Stopped" in trained.shown
    assert f"{trained.number}; `tandem promote VERSION`" in trained.shown


def test_without_a_desk_there_is_no_training(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for words in (["tune", "start"], ["tune", "stop"], ["tune", "status"]):
        assert cli.main(words) == 2
        error = capsys.readouterr().err
        assert "no desk runs" in error and error.count("\n") == 1


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_version_is_let_drive_and_taken_back_and_another_begun_by_mouse_in_the_window(
        place: Place, trained: Trained):
    number = trained.number
    place.measured(number, position_m=0.2)
    with (virtual_screen(place.folder, SIZE) as screen,
          open_desktop(place.folder, place.seat.links, screen, SIZE) as desktop):
        while "train" not in desktop.places:
            desktop.click("train tab")
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

        desktop.click("train")
        desktop.hear("answer", command="StartTraining", accepted=True)
        place.until(lambda now: now.training.running and now.training.trainer.run.endswith("d-2"))
        desktop.click("train")                  # it says Stop now
        desktop.hear("answer", command="StopTraining", accepted=True)
    place.until(lambda now: not now.training.running)
    entries = decided(state.versions.driving_run, "desktop")
    assert [(entry.what, entry.version) for entry in entries] == [
        ("refused", number), ("promoted", number), ("rolled back", number)]
    assert entries[1].reason == "look 2" and not entries[0].reason


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
        page.locator("#train-stop:disabled").wait_for()
        assert page.locator("#train-stop").get_attribute("title") == "No training goes on"
        page.locator("#train-start").click()
        browser.shows("#training", "Trains")
        page.locator("#train-resume:disabled").wait_for()
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
    assert [(entry.what, entry.version) for entry in decided(run, "page")] == [
        ("promoted", number), ("rolled back", number)]
