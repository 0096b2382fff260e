"""A person at a SpaceMouse, end to end: device, station, robot host, recorder and store."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles.hid_sockets import HidSocket, build_library

from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.devices.interfaces import DeviceStatus
from studio.station.commands import Command, EndEpisode, Reply, Stop
from studio.station.launch import SessionRequest, run_session
from studio.station.messages import Guard, Mode, Owner, Snapshot
from studio.station.session import SessionPlan

pytestmark = pytest.mark.alone

LEFT = (1, 0x80, 0xFF, 0, 0, 0, 0)      # HID x -128 of 350: to the left in ROS axes
REST = (1, 0, 0, 0, 0, 0, 0)
PATIENCE = 1500                         # turns of about 20 ms


@pytest.fixture
def mouse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HidSocket]:
    library = build_library(tmp_path)
    if library is None:
        pytest.skip("no C compiler for the stand-in hidapi")
    folder = Path(tempfile.mkdtemp(prefix="hid"))       # short, as paths of sockets must be
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("FAKEHID_DIR", str(folder))
    plugged = HidSocket(folder, 0x256F, 0xC635)
    plugged.plug()
    yield plugged
    plugged.unplug()
    shutil.rmtree(folder)


class Scenario:
    """Steps of a person, taken as the station's snapshots allow."""

    def __init__(self, mouse: HidSocket) -> None:
        self.mouse, self.pushing = mouse, False
        self.seen: Snapshot | None = None
        self.call: Callable[[Command], Reply] = lambda command: Reply(False)
        self.modes: list[Mode] = []
        self._steps = self._play()
        self._turns = 0

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.seen = snapshot
        self.modes.append(snapshot.mode)

    def on_turn(self) -> None:
        self._turns += 1
        assert self._turns < PATIENCE, f"stuck at {self.seen}"
        if self.pushing:
            self.mouse.report(*LEFT)
        next(self._steps, None)

    def _until(self, condition: Callable[[Snapshot], bool]) -> Iterator[None]:
        while self.seen is None or not condition(self.seen):
            yield

    def _release(self) -> None:
        self.pushing = False
        self.mouse.report(*REST)

    def _play(self) -> Iterator[None]:
        yield from self._until(lambda s: s.mode is Mode.ARMED)
        self.mouse.opened()
        assert self.seen is not None
        home_y = self.seen.tool_pose[1]
        self.pushing = True
        yield from self._until(lambda s: s.tool_pose[1] > home_y + 0.05)
        assert self.seen.mode is Mode.HUMAN and set(self.seen.owners) == {Owner.HUMAN}
        assert self.seen.episode                # the first motion began it
        self.pushing = False
        self.mouse.unplug()                     # in mid-motion
        yield from self._until(lambda s: s.human_status == DeviceStatus.LOST)
        yield from self._until(lambda s: s.mode is Mode.ARMED)
        assert any("spacemouse is lost" in problem for problem in self.seen.problems)
        self.mouse.plug()
        yield from self._until(lambda s: s.human_status == DeviceStatus.OK)
        self.mouse.opened()
        before_y = self.seen.tool_pose[1]
        self.pushing = True
        yield from self._until(lambda s: s.tool_pose[1] > before_y + 0.02)
        assert self.call(Stop("space bar")).accepted
        yield from self._until(lambda s: s.mode is Mode.STOP)
        self._release()
        assert self.call(EndEpisode(label="partial", note="end to end")).accepted
        yield from self._until(lambda s: not s.episode)


@pytest.mark.slow
def test_a_hand_drives_is_unplugged_comes_back_is_stopped_and_is_recorded(
        mouse: HidSocket, tmp_path: Path) -> None:
    scenario, store_path = Scenario(mouse), tmp_path / "store"
    outcomes: list[Any] = []

    def on_start(call: Callable[[Command], Reply]) -> None:
        scenario.call = call

    problem = run_session(
        SessionRequest(plan=SessionPlan(tasks=("push-button",), attended=True, operator="Ada"),
                       teleop="spacemouse", store=str(store_path), image_size=(48, 64)),
        on_outcome=outcomes.append, on_snapshot=scenario.on_snapshot, on_start=on_start,
        on_turn=scenario.on_turn)
    assert problem == "" and [o.detector for o in outcomes] == ["failure"]
    with DemoStore.open(store_path) as store:
        summary, = store.episodes()
        assert (summary.label, summary.note) == ("partial", "end to end")
        assert summary.operator == "Ada" and not summary.recovered
        tick = EpisodeReader(store.episode_path(summary.episode))["tick"]
    flags, mode = tick["guards"], tick["mode"]
    assert np.all(np.diff(tick["seq"]) == 1)                    # not one tick is missing
    assert np.any(flags & Guard.DEVICE_LOST) and np.any(mode == Mode.STOP)
    assert np.all(tick["human_twist"][(flags & Guard.DEVICE_LOST) > 0] == 0)
    pushed = tick["human_raw"][mode == Mode.HUMAN]
    assert np.any(pushed[:, 1] > 0.3) and np.all(pushed[:, [0, 2, 3, 4, 5]] == 0)
