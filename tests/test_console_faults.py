"""Trouble as the operator at the window sees it: on a real desk, with real keys and a real mouse.

A disk that fills up, a store that is moved away, an interrupted episode, another store.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from doubles.desktop import Desktop, missing, open_desktop, virtual_screen
from doubles.seat import Seat, seated
from doubles.small_disk import fill, small_disk

from recorders.episode_reader import EpisodeReader
from recorders.quality import assess
from recorders.store import DemoStore
from studio.station.commands import Arm, Rearm
from studio.station.desk import work as desk_work
from studio.station.messages import Mode
from studio.station.processes.supervisor import WorkerSpec

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.gl, pytest.mark.timeout(600),
              pytest.mark.skipif(bool(missing()), reason=missing())]
SIZE = (1280, 720)
TASK = "push-button"
DOUBLES = Path(__file__).parent / "doubles"


@contextmanager
def at_the_window(folder: Path, store: Path, **config: object) -> Iterator[tuple[Desktop, Seat]]:
    """A console on a desk that records into a store, the arm armed, no countdown."""
    with (virtual_screen(folder, SIZE) as screen,
          seated(task=TASK, store=str(store), **config) as seat):
        seat.ready()
        with open_desktop(folder, seat.links, screen, SIZE) as desktop:
            seat.until(lambda: seat.client.snapshot is not None and bool(seat.snapshot.task))
            ready(desktop)
            yield desktop, seat


def ready(desktop: Desktop) -> None:
    """Armed, also after a fault that a machine too busy for its robot may have had."""
    def armed() -> bool:
        if desktop.snapshot().mode is Mode.ARMED:
            return True
        if desktop.snapshot().mode in (Mode.STOP, Mode.FAULT):
            desktop.client.ask(Rearm())
        return desktop.client.ask(Arm()).accepted
    desktop.until(armed, "armed")
    desktop.until(lambda: desktop.snapshot().mode is Mode.ARMED, "armed")


def record(desktop: Desktop) -> str:
    ready(desktop)
    desktop.tap("Return")
    started = desktop.hear("answer", command="StartEpisode")
    assert started["accepted"], started
    desktop.until(lambda: desktop.snapshot().episode == started["value"]
                  and desktop.snapshot().episode_s > 0.3, "the open episode")
    return started["value"]


def keep(desktop: Desktop) -> str:
    """Record a little and keep it."""
    episode = record(desktop)
    desktop.tap("1")
    desktop.until(lambda: desktop.snapshot().recorder.last_episode == episode, "committed")
    return episode


def hear_problem(desktop: Desktop, words: str) -> str:
    """Wait until a problem with these words is on the screen."""
    def said() -> str:
        return next((one for line in desktop.said if line["kind"] == "problems"
                     for one in line["said"] if words in one), "")
    return desktop.until(said, words)


def look(desktop: Desktop, name: str) -> None:
    """Leave a picture where somebody asked for one."""
    if folder := os.environ.get("TANDEM_SCREENSHOTS"):
        from PIL import Image

        desktop.tap("shift")                # a frame has shown what was said
        Image.fromarray(desktop.screen.pixels()).save(Path(folder) / f"{name}.png")


def episodes(store: Path) -> dict[str, str]:
    return {one.episode: one.label for one in DemoStore.open(store).episodes()}



def test_a_full_disk_is_said_the_arm_goes_on_and_with_room_it_records_again(tmp_path: Path) -> None:
    with small_disk(tmp_path, 64) as disk, at_the_window(tmp_path, disk / "store") as (desktop, _):
        first = keep(desktop)
        cut = record(desktop)
        ballast = fill(disk)
        assert cut in hear_problem(desktop, "disk is full")
        desktop.until(lambda: not desktop.snapshot().episode, "the end of what cannot be kept")
        assert desktop.snapshot().mode is Mode.ARMED            # nobody stopped the arm
        look(desktop, "window-disk-full")
        assert episodes(disk / "store").keys() == {first, cut}

        desktop.tap("Return")
        refused = desktop.hear("answer", command="StartEpisode")
        assert not refused["accepted"] and "free some space" in refused["reason"]

        ballast.unlink()
        desktop.until(lambda: not desktop.snapshot().recorder.unable, "room")
        again = keep(desktop)
        assert episodes(disk / "store")[again] == "success"
        with DemoStore.open(disk / "store") as store:
            assert store.check() == []


def test_a_store_that_vanishes_is_said_and_is_recorded_into_when_it_is_back(tmp_path: Path) -> None:
    store, away = tmp_path / "store", tmp_path / "away"
    with at_the_window(tmp_path, store) as (desktop, _):
        first = keep(desktop)
        store.rename(away)
        hear_problem(desktop, "is not there any more")
        look(desktop, "window-store-gone")
        desktop.tap("Return")
        refused = desktop.hear("answer", command="StartEpisode")
        assert not refused["accepted"] and "bring it back" in refused["reason"]
        away.rename(store)
        desktop.until(lambda: not desktop.snapshot().recorder.unable, "the store")

        cut = record(desktop)
        store.rename(away)
        assert cut in hear_problem(desktop, "cut short")
        desktop.until(lambda: not desktop.snapshot().episode, "the end of what cannot be kept")
        assert desktop.snapshot().mode is Mode.ARMED and not store.exists()
        away.rename(store)
        desktop.until(lambda: desktop.snapshot().recorder.interrupted == (cut,), "the question")
        desktop.until(lambda: "interrupted partial" in desktop.places, "the buttons")
        look(desktop, "window-interrupted")
        desktop.click("interrupted partial")
        desktop.hear("answer", command="LabelEpisode", accepted=True)
        desktop.until(lambda: episodes(store) == {first: "success", cut: "partial"}, "kept")


def test_an_episode_that_a_crash_interrupted_is_discarded_with_a_click(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with at_the_window(tmp_path, store) as (desktop, seat):
        cut = record(desktop)
        os.kill(seat.pid("recorder"), signal.SIGKILL)
        hear_problem(desktop, "end this episode and record it anew")
        desktop.tap("Right")
        desktop.hear("answer", command="EndEpisode", accepted=True)
        desktop.until(lambda: desktop.snapshot().recorder.interrupted == (cut,)
                      and desktop.snapshot().recorder.alive, "the question")
        desktop.until(lambda: "interrupted discard" in desktop.places, "the buttons")
        desktop.click("interrupted discard")
        desktop.hear("answer", command="SettleInterrupted", accepted=True)
        desktop.until(lambda: not desktop.snapshot().recorder.interrupted, "settled")
        with DemoStore.open(store) as opened:
            (one,) = opened.episodes(include_trashed=True)
            assert (one.episode, one.trashed) == (cut, True)


def test_another_store_is_typed_refused_and_recorded_into(tmp_path: Path) -> None:
    store, other = tmp_path / "store", tmp_path / "other"
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("not a store")
    with at_the_window(tmp_path, store) as (desktop, seat):
        keep(desktop)
        desktop.click("store")
        desktop.until(lambda: "store go" in desktop.places, "the window that asks")
        write(desktop, str(taken))
        refused = desktop.hear("answer", command="OpenStore")
        assert not refused["accepted"] and "is no store" in refused["reason"]
        look(desktop, "window-store-refused")
        write(desktop, str(other))
        assert desktop.hear("answer", command="OpenStore")["accepted"]
        seat.until(lambda: seat.snapshot.recorder.store == str(other)
                   and seat.snapshot.recorder.alive and not seat.state.busy)
        desktop.until(lambda: "store go" not in desktop.places, "the window closed")
        look(desktop, "window-store-other")
        kept = keep(desktop)
        assert episodes(other) == {kept: "success"} and len(episodes(store)) == 1


def test_a_camera_that_stops_is_named_recording_goes_on_and_its_quality_says_so(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, pulled = tmp_path / "store", tmp_path / "unplugged"
    monkeypatch.setattr(desk_work, "robot_worker", lambda desk, links: WorkerSpec(
        name="robot", role="robot", environment={"PYTHONPATH": str(DOUBLES)}, config={
            "links": links, "driver": "unplugged_camera:UnpluggedCamera",
            "options": {"folder": str(tmp_path)}}))
    with at_the_window(tmp_path, store) as (desktop, _):
        episode = record(desktop)
        pulled.touch()
        assert "front; the open episode goes on" in hear_problem(desktop, "Nothing comes from")
        look(desktop, "window-camera-silent")
        assert desktop.snapshot().episode == episode
        pulled.unlink()
        desktop.said.clear()
        desktop.hear("problems", said=[])
        pulled.touch()
        hear_problem(desktop, "Nothing comes from")
        desktop.tap("1")
        desktop.until(lambda: desktop.snapshot().recorder.last_episode == episode, "committed")
    with DemoStore.open(store) as opened:
        flags = assess(EpisodeReader(opened.episode_path(episode))).flags
    assert any(flag.startswith("front lost") for flag in flags)
    assert any(flag.startswith("front said nothing for the last") for flag in flags)
    assert not any(flag.startswith("wrist said") for flag in flags)


def write(desktop: Desktop, path: str) -> None:
    """Replace what stands in the field, and press Enter."""
    desktop.click("store path")
    desktop.screen.hands("key", "ctrl+a", "type", path)
    desktop.screen.hands("key", "Return")
