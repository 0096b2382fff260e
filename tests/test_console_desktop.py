"""The desktop console end to end: a real window on a real desk, real keys and a real mouse."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles.desktop import Desktop, missing, open_desktop, running_desk, virtual_screen

from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.sim.scene import OBJECT_NAMES
from studio.station.messages import Mode
from studio.views.look import DARK, rgba

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.gl, pytest.mark.timeout(600),
              pytest.mark.skipif(bool(missing()), reason=missing())]
SIZE = (1280, 720)
KEYS = (("w", "s"), ("a", "d"), ("e", "q"))     # x y z of the tool: positive, negative


@pytest.fixture(scope="module")
def seat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desktop, Path]]:
    """A console on a desk that records into a fresh store."""
    folder = tmp_path_factory.mktemp("seat")
    store = folder / "store"
    with (virtual_screen(folder, SIZE) as screen, running_desk(folder, store) as links,
          open_desktop(folder, links, screen, SIZE) as desktop):
        yield desktop, store


def tool(desktop: Desktop) -> np.ndarray:
    return np.array(desktop.snapshot().tool_pose[:3])


def cube(desktop: Desktop, name: str) -> np.ndarray:
    desktop.until(lambda: "sim" in desktop.newest, "a row of the stream sim")
    return np.array(desktop.newest["sim"]["objects"][OBJECT_NAMES.index(name), :3])


def go(desktop: Desktop, axis: int, to_m: float) -> None:
    """Hold a key, and Shift, until the tool is there, along one axis of the world."""
    ahead = to_m > tool(desktop)[axis]
    key = KEYS[axis][0 if ahead else 1]
    desktop.screen.hands("keydown", "shift", "keydown", key)
    desktop.until(lambda: (tool(desktop)[axis] > to_m) == ahead, f"{key} to {to_m:.3f} m")
    desktop.screen.hands("keyup", key, "keyup", "shift")
    desktop.until(lambda: desktop.snapshot().mode is Mode.ARMED, f"{key} let go")


def arm(desktop: Desktop) -> None:
    """Hold the button; leave a fault first, as a machine too busy for its robot may have had."""
    if desktop.snapshot().mode in (Mode.STOP, Mode.FAULT):
        desktop.click("arm")
        desktop.hear("answer", command="Rearm", accepted=True)
        desktop.hear("banner", word="Idle")
    desktop.press("arm")
    desktop.hear("answer", command="Arm", accepted=True)
    desktop.until(lambda: desktop.snapshot().mode is Mode.ARMED, "armed")
    desktop.screen.hands("mouseup", "1")
    desktop.hear("pressed", down=False)


def record(desktop: Desktop) -> str:
    desktop.tap("Return")
    started = desktop.hear("answer", command="StartEpisode")
    assert started["accepted"], started
    desktop.until(lambda: desktop.snapshot().episode == started["value"], "the open episode")
    return started["value"]


def test_a_person_records_labels_discards_undoes_and_stops(seat):
    desktop, store = seat
    arm(desktop)
    first = record(desktop)
    pushed = push_a_cube(desktop)
    assert pushed > 0.02
    desktop.tap("Right")
    desktop.hear("notice", text="Saved as failure")         # the detector saw no cube in the bin
    desktop.tap("3")
    desktop.hear("answer", command="LabelEpisode", accepted=True)

    second = record(desktop)
    desktop.click("discard")
    desktop.hear("answer", command="DiscardEpisode", accepted=True)
    desktop.hear("cue", cue="discarded")
    desktop.until(lambda: trashed(store) == {second: True, first: False}, "the bin")

    desktop.tap("z")
    desktop.hear("answer", command="RestoreEpisode", accepted=True)
    desktop.until(lambda: trashed(store) == {second: False, first: False}, "taken back")

    desktop.tap("space")
    desktop.hear("answer", command="Stop", accepted=True)
    desktop.hear("banner", word="Stopped")

    (one, two) = DemoStore.open(store).episodes()
    assert (one.episode, one.label, one.label_by != "detector") == (first, "partial", True)
    assert two.episode == second
    owners = EpisodeReader(DemoStore.open(store).episode_path(first))["tick"]["owner"]
    assert np.count_nonzero(owners == 1) > 0                # a person drove, and it says so


def push_a_cube(desktop: Desktop) -> float:
    """Close the hand, drive behind a cube, down to the table, and into it; its way in m."""
    desktop.tap("c")
    desktop.until(lambda: desktop.snapshot().position[-1] < 0.1, "a closed hand")
    name = max(OBJECT_NAMES[:3], key=lambda one: cube(desktop, one)[0])     # others are too near
    before = cube(desktop, name)
    go(desktop, 0, before[0] - 0.10)
    go(desktop, 1, before[1])
    go(desktop, 2, before[2] + 0.01)
    desktop.screen.hands("keydown", "w")
    desktop.until(lambda: np.linalg.norm(cube(desktop, name) - before) > 0.03, "a push")
    desktop.screen.hands("keyup", "w")
    desktop.until(lambda: desktop.snapshot().mode is Mode.ARMED, "w let go")
    return float(np.linalg.norm(cube(desktop, name) - before))


def trashed(store: Path) -> dict[str, bool]:
    return {one.episode: one.trashed for one in DemoStore.open(store).episodes(True)}


def test_the_window_shows_the_state_and_is_not_blank(seat):
    desktop, _ = seat
    desktop.tap("space")
    desktop.until(lambda: desktop.snapshot().mode is Mode.STOP, "the stop")
    fill = rgba(DARK.tones["stopped"].fill)[:3]
    desktop.until(lambda: share(desktop.screen.pixels()[10:90, 14:320], fill) > 0.5, "the banner")
    picture = desktop.screen.pixels()
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1000    # cameras, letters, lines


def share(pixels: np.ndarray, colour: tuple[int, ...]) -> float:
    return float((np.abs(pixels.astype(int) - colour).max(axis=2) < 12).mean())
