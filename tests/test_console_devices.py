"""Devices and layout in the real window: chosen, refused and switched with a real mouse."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from doubles.desktop import Desktop, VirtualScreen, missing, open_desktop, virtual_screen
from doubles.feetech_bus import write_calibration
from doubles.seat import BLIND, Seat, seated
from doubles.servo_arm_process import ServoArmProcess

from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.devices.probe import spacemice
from studio.station.messages import Mode

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.gl, pytest.mark.timeout(600),
              pytest.mark.skipif(bool(missing()), reason=missing())]
SIZE, TASK, SEED = (1280, 720), "put-cube-in-bin", 4


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[VirtualScreen]:
    with virtual_screen(tmp_path, SIZE) as shown:
        yield shown


@contextmanager
def window(folder: Path, screen: VirtualScreen, store: Path | None = None,
           robot_options: dict[str, Any] | None = None) -> Iterator[tuple[Seat, Desktop]]:
    """A desk with cameras, if nothing else is said, and a window on it that shows its devices."""
    with (seated(task=TASK, robot_options=robot_options or {}, stays=True,
                 store=str(store or "")) as seat,
          open_desktop(folder, seat.links, screen, SIZE) as desktop):
        desktop.until(lambda: desktop.client.snapshot is not None and desktop.snapshot().task,
                      "the first scene")
        while "use devices" not in desktop.places:
            desktop.click("devices tab")
        yield seat, desktop


def use(desktop: Desktop, *places: str) -> None:
    """Click on choices, and have them used; returns when the station works with them."""
    for place in places:
        desktop.click(place)
    desktop.forget("banner")
    desktop.click("use devices")
    answer = desktop.hear("answer", command="UseDevices")
    assert answer["accepted"], answer
    desktop.hear("banner", word="Starting")
    desktop.hear("banner", word="Idle")


def arm(desktop: Desktop) -> None:
    desktop.press("arm")
    desktop.hear("answer", command="Arm", accepted=True)
    desktop.screen.hands("mouseup", "1")
    desktop.until(lambda: desktop.snapshot().mode in (Mode.ARMED, Mode.HUMAN), "armed")


def drive_up(desktop: Desktop) -> None:
    """Hold a key until the arm has moved."""
    began = desktop.snapshot().tool_pose[2]
    desktop.screen.hands("keydown", "e")
    desktop.until(lambda: desktop.snapshot().tool_pose[2] > began + 0.02, "the way up")
    desktop.screen.hands("keyup", "e")
    desktop.until(lambda: not desktop.snapshot().human_enabled, "e let go")


def record(desktop: Desktop, seconds: float) -> str:
    desktop.tap("Return")
    started = desktop.hear("answer", command="StartEpisode")
    assert started["accepted"], started
    desktop.until(lambda: desktop.snapshot().episode == started["value"]
                  and desktop.snapshot().episode_s > seconds, "some seconds of it")
    desktop.tap("Right")
    desktop.until(lambda: desktop.snapshot().recorder.last_episode == started["value"], "saved")
    return started["value"]


@pytest.mark.skipif(bool(spacemice()), reason="a SpaceMouse is plugged in here")
def test_a_device_that_is_not_there_is_refused_and_the_keyboard_drives_on(tmp_path, screen):
    with window(tmp_path, screen) as (_, desktop):
        use(desktop, "device spacemouse")
        said = desktop.hear("notice", bad=True)["text"]
        assert "no SpaceMouse is plugged in" in said and said.endswith("back to sim and keyboard")
        desktop.until(lambda: desktop.client.state is not None
                      and desktop.client.state.teleop == "keyboard", "the keyboard again")
        arm(desktop)
        drive_up(desktop)


def test_what_is_typed_drives_nothing_and_a_leader_and_a_real_arm_take_over_a_running_desk(
        tmp_path, screen):
    with tempfile.TemporaryDirectory(prefix="d") as short, ExitStack() as ending:
        folder = Path(short)                    # what is typed is drawn letter by letter
        for name in ("leader", "follower"):
            write_calibration(folder, name)
        leader, follower = (ServoArmProcess(folder / name) for name in ("l", "f"))
        ending.callback(leader.close)
        ending.callback(follower.close)
        told = {"calibration_dir": short}
        (folder / "s.yaml").write_bytes(msgspec.yaml.encode({
            "robot": {"type": "so101_follower", "port": f"{short}/f", "id": "follower"} | told,
            "teleop": {"type": "so101_leader", "port": f"{short}/l", "id": "leader"} | told}))
        with window(tmp_path, screen, robot_options=BLIND) as (_, desktop):
            arm(desktop)
            began = desktop.snapshot().tool_pose
            write(desktop, {"device leader": "", "leader type": "so101_leader",
                            "leader fields": "prot=x eee=1"})   # Space would be the software stop
            assert np.allclose(desktop.snapshot().tool_pose, began, atol=1e-3)
            use(desktop)
            asked = desktop.hear("do", action="devices")["value"]
            assert (asked["teleop"], asked["leader_type"], asked["leader_fields"]) == (
                "leader", "so101_leader", "prot=x eee=1")
            assert not [line for line in desktop.said if line["kind"] == "answer"
                        and line["command"] == "Stop"]
            said = desktop.hear("notice", bad=True)["text"]
            assert "valid are " in said and "port" in said and said.endswith("sim and keyboard")

            write(desktop, {"station file": "", "station path": f"{short}/s.yaml"})
            desktop.click("station read")
            desktop.until(lambda: "station read" not in desktop.places, "the file was read")
            use(desktop)
            state = desktop.client.state
            assert state is not None and not state.refused
            assert (state.robot, state.teleop) == ("so101_follower", "leader:so101_leader")
            desktop.until(lambda: len(desktop.snapshot().position) == 6
                          and desktop.snapshot().human_status == 1, "the other arm and its leader")
            arm(desktop)
            leader.call("place", {"1": 2400})
            desktop.until(lambda: follower.call("position", 1) > 2100, "the arm follows the leader")


def write(desktop: Desktop, places: dict[str, str]) -> None:
    """Click on places, and type where there is something to type, over what stands there."""
    for place, text in places.items():
        desktop.click(place)
        if text:
            desktop.screen.hands("key", "ctrl+a")
            desktop.screen.hands("type", "--delay", "120", text)


def test_a_station_that_died_is_shown_as_old_and_brought_back_in_the_window(tmp_path, screen):
    with window(tmp_path, screen) as (seat, desktop):
        cameras = np.s_[160:430, 20:380]
        desktop.until(lambda: screen.pixels()[cameras].mean() > 80, "the front camera")
        os.kill(seat.pid("station"), signal.SIGKILL)
        desktop.hear("banner", word="No station")
        desktop.until(lambda: screen.pixels()[cameras].mean() < 60, "the old picture darkened")
        use(desktop)
        desktop.until(lambda: screen.pixels()[cameras].mean() > 80, "a live picture")
        arm(desktop)
        drive_up(desktop)


def test_what_is_recorded_after_a_switch_of_devices_and_cameras_is_right(tmp_path, screen):
    store = tmp_path / "store"
    with window(tmp_path, screen, store) as (seat, desktop):
        while desktop.snapshot().seed != SEED:
            last = desktop.snapshot().seed
            desktop.tap("n")
            desktop.hear("answer", command="ResetScene", accepted=True)
            desktop.until(lambda last=last: desktop.snapshot().seed != last
                          and not desktop.snapshot().resetting, "the next scene")
        robot = seat.pid("robot")
        use(desktop, "device scripted")
        assert seat.pid("robot") == robot and desktop.snapshot().human_status == 1
        desktop.until(lambda: desktop.snapshot().seed == SEED, "the same scene")
        arm(desktop)
        script = record(desktop, 2.0)

        use(desktop, "device keyboard", "camera wrist")         # a second click takes it away
        assert seat.pid("robot") != robot
        arm(desktop)
        keyboard = record(desktop, 1.0)

    kept = DemoStore.open(store)
    by_id: dict[str, EpisodeSummary] = {one.episode: one for one in kept.episodes()}
    assert by_id.keys() == {script, keyboard}
    assert (by_id[script].operator, by_id[keyboard].operator) == ("scripted", "keyboard")
    assert by_id[script].seed == SEED and {one.task for one in by_id.values()} == {TASK}
    both, front = (EpisodeReader(kept.episode_path(one)) for one in (script, keyboard))
    assert {"front", "wrist"} <= set(both.streams)
    assert "front" in front.streams and "wrist" not in front.streams
    assert len(front["front"]["t_mono_ns"]) > 10
    assert np.count_nonzero(both["tick"]["human_enabled"]) > 0      # the script drove
    assert np.count_nonzero(front["tick"]["human_enabled"]) == 0    # and nobody's hand did


def test_a_layout_that_was_dragged_is_there_again(tmp_path, screen):
    with seated(task=TASK, stays=True) as seat:
        with open_desktop(tmp_path, seat.links, screen, SIZE) as desktop:
            before = desktop.places["record panel"]
            drag(desktop, (879, 300), (779, 300))
            desktop.until(lambda: desktop.places["record panel"][0] < before[0] - 40, "wider")
            dragged = {name: desktop.places[name] for name in ("record panel", "cameras", "main")}
        with open_desktop(tmp_path, seat.links, screen, SIZE) as desktop:
            desktop.until(lambda: all(near(desktop.places.get(name), place)
                                      for name, place in dragged.items()), "the dragged layout")


def drag(desktop: Desktop, begin: tuple[int, int], end: tuple[int, int]) -> None:
    """Take hold of a place, pull it, and let go; each step waits until it was drawn."""
    def frames() -> None:
        drawn = desktop.frames
        desktop.until(lambda: desktop.frames > drawn, "frames")

    desktop.screen.hands("mousemove", *map(str, begin))
    frames()
    desktop.screen.hands("mousedown", "1")
    frames()
    for part in (0.3, 0.7, 1.0):
        x, y = (round(a + part * (b - a)) for a, b in zip(begin, end, strict=True))
        desktop.screen.hands("mousemove", str(x), str(y))
        frames()
    desktop.screen.hands("mouseup", "1")
    frames()


def near(place: list[int] | None, wanted: list[int]) -> bool:
    return place is not None and max(abs(place[0] - wanted[0]), abs(place[1] - wanted[1])) <= 2
