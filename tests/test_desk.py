"""The desk: its processes, its consoles, and what a person may choose while it runs.

Real processes with the simulated arm, without pictures; the desk itself turns in a thread.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from doubles.seat import BLIND, seated, window_worker

from recorders.clock import SystemClock
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.station.commands import (
    Arm,
    EndEpisode,
    Keys,
    LabelEpisode,
    ResetScene,
    StartEpisode,
    TrashEpisode,
)
from studio.station.desk import work as desk_work
from studio.station.desk.address import DeskRunsAlready, address_file, announce, find_desk
from studio.station.desk.link import ConsoleHere, ConsoleLeft, EndDesk, OpenStore, OpenWeb
from studio.station.desk.processes import (
    DeskConfig,
    recorder_worker,
    rerun_worker,
    robot_worker,
    rrd_worker,
    station_worker,
)
from studio.station.messages import Mode
from studio.station.processes.endpoints import private_endpoints
from studio.station.processes.rerun_worker import RerunConfig
from studio.station.processes.robot_host import RobotHostConfig
from studio.station.processes.supervisor import WorkerSpec
from studio.station.recording.recorder import RecorderConfig
from studio.station.recording.rrd_worker import RrdConfig
from studio.station.station_worker import StationConfig

pytestmark = pytest.mark.alone

TASK = "push-button"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_keys_of_a_console_drive_the_arm_and_silence_lets_go(store: Path) -> None:
    clock = SystemClock()
    with seated(task=TASK, store=str(store)) as seat:
        seat.ready()
        seat.until(lambda: seat.client.snapshot is not None and seat.snapshot.task == TASK)
        assert seat.snapshot.instruction and seat.state.task == TASK
        seat.do(ResetScene(TASK, 3))
        seat.arm()
        seat.sees(Mode.ARMED)
        began = seat.snapshot.tool_pose[2]

        def lifted() -> bool:
            seat.do(Keys(("e",), clock.now_ns()))
            seen = seat.snapshot
            return (seen.tool_pose[2] > began + 0.02 and seen.human_enabled
                    and seen.human_report == "e")

        seat.until(lifted)
        seat.sees(Mode.ARMED)           # nobody says anything any more
        assert not seat.snapshot.human_enabled


def test_what_is_recorded_and_said_at_the_desk_is_in_the_store(store: Path) -> None:
    with seated(task=TASK, store=str(store)) as seat:
        seat.ready()
        assert seat.state.store == str(store) and not seat.state.problem
        episodes = []
        for number in range(3):
            seat.do(ResetScene(TASK, number))
            seat.until(lambda: not seat.snapshot.resetting and seat.client.ask(Arm()).accepted)
            episodes.append(seat.do(StartEpisode(TASK, seed=number, operator="Ada")))
            seat.until(lambda: seat.snapshot.episode_s > 0.2)
            seat.do(EndEpisode(label="success", note=f"number {number}"))
        seat.until(lambda: seat.snapshot.recorder.last_episode == episodes[-1])
        changes = seat.snapshot.recorder.changes
        seat.do(LabelEpisode(episodes[0], "partial"))
        seat.do(TrashEpisode(episodes[1]))
        seat.until(lambda: seat.snapshot.recorder.changes == changes + 2)
        assert seat.asked(EndDesk()).accepted
    with DemoStore.open(store) as kept:
        one, two, three = kept.episodes(include_trashed=True)
        assert [one.episode, two.episode, three.episode] == episodes
        assert (one.label, two.trashed, three.label, three.note) == (
            "partial", True, "success", "number 2")
        assert kept.check() == []


def test_without_a_store_there_is_practice_until_one_is_opened(store: Path) -> None:
    with seated(task=TASK) as seat:
        seat.ready()
        refusal = seat.client.ask(StartEpisode(TASK))
        assert not refusal.accepted and "no store is open" in refusal.reason
        assert seat.asked(OpenStore(str(store))).accepted
        seat.until(lambda: seat.client.state is not None and seat.state.store == str(store)
                   and not seat.state.busy)
        seat.until(lambda: seat.snapshot.recorder.alive)
        assert seat.do(StartEpisode(TASK))


def test_another_store_is_opened_beside_the_running_station(store: Path, tmp_path: Path) -> None:
    with seated(task=TASK, store=str(store)) as seat:
        seat.ready()
        station = seat.pid("station")
        with DemoStore.open(tmp_path / "theirs", write=True, create=True):
            refusal = seat.asked(OpenStore(str(tmp_path / "theirs")))
        assert not refusal.accepted and "is being written" in refusal.reason
        assert seat.asked(OpenStore(str(tmp_path / "other"))).accepted
        seat.until(lambda: seat.client.snapshot is not None
                   and seat.snapshot.recorder.store == str(tmp_path / "other")
                   and seat.snapshot.recorder.alive)
        assert seat.pid("station") == station
        episode = seat.do(StartEpisode(TASK))
        seat.until(lambda: seat.snapshot.episode == episode and seat.snapshot.episode_s > 0.1)
        refusal = seat.asked(OpenStore(str(store)))
        assert not refusal.accepted and "open: end or discard it first" in refusal.reason
        refusal = seat.chosen(teleop="none")
        assert not refusal.accepted and "open: end or discard it first" in refusal.reason


NOT_THERE = {"teleop": "leader:so101_leader", "teleop_options": {"fields": {"port": "/dev/no"}}}


def test_devices_that_cannot_be_opened_are_refused_and_those_before_are_back() -> None:
    with seated(task=TASK) as seat:
        seat.ready()
        assert "gamepad, keyboard" in seat.chosen(teleop="telepathy").reason
        assert "valid are" in seat.chosen(robot="industrial").reason
        robot = seat.pid("robot")
        seat.do(ResetScene(TASK, 5))
        seat.until(lambda: seat.snapshot.seed == 5)
        seat.arm()
        assert seat.chosen(**NOT_THERE).accepted
        assert not seat.state.problem and seat.state.teleop == "keyboard"
        assert seat.state.refused.startswith("the station did not start: ")
        assert seat.state.refused.endswith("; back to sim and keyboard")
        assert seat.state.refused in seat.state.news
        assert seat.pid("robot") == robot           # it held the arm all the time
        seat.sees(Mode.IDLE)                        # and nobody armed it
        seat.until(lambda: seat.snapshot.task == TASK)
        assert seat.snapshot.seed == 5
        assert seat.chosen(teleop="none").accepted
        assert not seat.state.refused and seat.state.teleop == "none"


def test_cameras_that_there_are_not_are_refused_and_the_arm_is_there_again() -> None:
    with seated(task=TASK) as seat:
        seat.ready()
        robot = seat.pid("robot")
        assert seat.chosen(robot_options={"cameras": ["ceiling"]}).accepted
        assert "ceiling" in seat.state.refused and "front, wrist" in seat.state.refused
        assert seat.state.robot_options == BLIND and not seat.state.problem
        assert seat.pid("robot") != robot
        seat.arm()


def test_with_nothing_to_go_back_to_there_is_a_reason_and_another_device_can_be_chosen() -> None:
    with seated(task=TASK, teleop="gamepad", teleop_options={"layout": "round"}) as seat:
        seat.ready()
        assert seat.state.problem.startswith("the station did not start: gamepad refuses")
        robot = seat.pid("robot")
        assert seat.chosen(teleop="gamepad", teleop_options={"layout": "square"}).accepted
        assert "the station did not start" in seat.state.problem and not seat.state.refused
        assert seat.chosen().accepted
        assert not seat.state.problem
        assert seat.pid("robot") == robot
        seat.sees(Mode.IDLE)


def test_the_scene_stays_when_somebody_else_drives_or_other_cameras_look() -> None:
    with seated(task=TASK) as seat:
        seat.ready()
        seat.do(ResetScene("put-cube-in-bin", 7))
        seat.until(lambda: seat.snapshot.seed == 7)
        robot = seat.pid("robot")
        for devices in ({"teleop": "none"}, {"robot_options": BLIND | {"depth": False}}):
            assert seat.chosen(**devices).accepted and not seat.state.refused
            seat.until(lambda: seat.snapshot.task == "put-cube-in-bin")
            assert seat.snapshot.seed == 7
            assert (seat.pid("robot") == robot) == (devices == {"teleop": "none"})


def test_a_dead_robot_is_named_and_started_anew_only_when_a_person_asks() -> None:
    with seated(task=TASK) as seat:
        seat.ready()
        os.kill(seat.pid("robot"), signal.SIGKILL)
        seat.until(lambda: bool(seat.state.problem))
        assert "the robot has ended: killed by SIGKILL; choose the devices" in seat.state.problem
        seat.sees(Mode.FAULT)
        assert [p.running for p in seat.state.processes if p.name == "robot"] == [False]
        assert seat.chosen().accepted
        assert not seat.state.problem
        seat.sees(Mode.IDLE)


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The desk's own console is a process without a window; returns its folder."""
    monkeypatch.setattr(desk_work, "console_worker",
                        lambda links: window_worker(links, tmp_path))
    return tmp_path


def test_a_console_that_dies_is_opened_again_and_the_recording_goes_on(
        store: Path, window: Path) -> None:
    with seated(task=TASK, store=str(store), console=True) as seat:
        seat.ready()
        seat.arm()
        episode = seat.do(StartEpisode(TASK))
        seat.until(lambda: seat.state.consoles == ("console",) and seat.snapshot.episode_s > 0.1)
        os.kill(seat.pid("console"), signal.SIGKILL)
        seat.until(lambda: any(p.name == "console" and p.restarts and p.running
                               for p in seat.state.processes))
        assert seat.snapshot.episode == episode and seat.snapshot.mode is Mode.ARMED
        seat.do(EndEpisode())
        seat.until(lambda: seat.snapshot.recorder.last_episode == episode)
        late = seat.snapshot.late_ticks
    with DemoStore.open(store) as kept:
        (one,) = kept.episodes()
        assert one.episode == episode and one.steps > late


def test_a_console_that_is_stopped_for_a_while_costs_neither_ticks_nor_data(
        store: Path, window: Path) -> None:
    with seated(task=TASK, store=str(store), console=True) as seat:
        seat.ready()
        seat.arm()
        episode = seat.do(StartEpisode(TASK))
        seat.until(lambda: seat.state.consoles == ("console",))
        os.kill(seat.pid("console"), signal.SIGSTOP)
        since_s = seat.snapshot.episode_s
        seat.until(lambda: seat.snapshot.episode_s > since_s + 2.0)
        os.kill(seat.pid("console"), signal.SIGCONT)
        assert seat.snapshot.mode is Mode.ARMED
        seat.do(EndEpisode())
        seat.until(lambda: seat.snapshot.recorder.last_episode == episode)
        assert not seat.snapshot.recorder.overflowed
    with DemoStore.open(store) as kept:
        ticks = EpisodeReader(kept.episode_path(episode))["tick"]
        assert np.all(np.diff(ticks["seq"]) == 1)


def test_the_desk_ends_when_its_last_console_is_closed(window: Path) -> None:
    with seated(task=TASK, console=True) as seat:
        seat.ready()
        seat.until(lambda: seat.state.consoles == ("console",))
        (window / "close").touch()
        seat.until(lambda: seat.desk.ended)
        assert not seat.desk.problem


def test_a_console_that_cannot_open_ends_the_desk_with_its_reason(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_work, "console_worker", lambda links: WorkerSpec(
        name="console", role="nowhere:run", restart=True))
    with seated(console=True) as seat:
        seat.until(lambda: seat.desk.ended)
        assert seat.desk.problem.startswith("the console has ended: ")
        assert "'nowhere:run' names nothing" in seat.desk.problem


def test_a_web_console_that_cannot_open_says_why_and_harms_nothing(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_work, "web_worker", lambda desk, links: WorkerSpec(
        name="web", role="nowhere:run", restart=True))
    with seated(stays=True) as seat:
        assert seat.asked(OpenWeb()).value == ""
        seat.until(lambda: seat.client.state is not None and any(
            "'nowhere:run' names nothing" in process.reason
            for process in seat.state.processes if process.name == "web"))
        seat.ready()
        assert not seat.state.problem and not seat.desk.ended


def test_the_desk_goes_on_when_its_last_console_is_closed_over_somebodys_work(
        window: Path) -> None:
    with seated(task=TASK, console=True) as seat:
        seat.ready()
        seat.arm()
        seat.sees(Mode.ARMED)
        assert seat.asked(ConsoleHere("another")).accepted
        (window / "close").touch()
        seat.until(lambda: "console" not in seat.state.consoles and not any(
            p.name == "console" for p in seat.state.processes))
        assert seat.asked(ConsoleLeft("another")).accepted
        seat.until(lambda: any("the arm is armed: the desk goes on" in line
                               for line in seat.state.news))
        assert not seat.desk.ended


def test_a_desk_without_consoles_stays(store: Path) -> None:
    with seated(task=TASK, stays=True) as seat:
        seat.ready()
        assert seat.asked(ConsoleHere("guest")).accepted
        assert seat.asked(ConsoleLeft("guest")).accepted
        seat.until(lambda: not seat.state.consoles)
        assert not seat.desk.ended
        assert seat.asked(EndDesk()).accepted
        seat.until(lambda: seat.desk.ended)


def test_a_deleted_store_is_begun_anew_when_it_is_opened_again(store: Path) -> None:
    with seated(task=TASK, store=str(store)) as seat:
        seat.ready()
        assert seat.asked(OpenStore(str(store))).accepted       # it is open already
        seat.ready()
        shutil.rmtree(store)
        seat.until(lambda: "was deleted" in seat.snapshot.recorder.unable)
        assert not store.exists()
        refusal = seat.client.ask(StartEpisode(TASK))
        assert not refusal.accepted and "open it again" in refusal.reason
        reply = seat.asked(OpenStore(str(store)))
        assert reply.accepted and "a new store was made" in reply.reason
        seat.until(lambda: seat.snapshot.recorder.alive and not seat.snapshot.recorder.unable
                   and not seat.state.busy)
        assert seat.do(StartEpisode(TASK))


@pytest.mark.parametrize("path", ["\0", "x" * 100_000, "~nobody-at-all/store", "/proc/store"])
def test_a_path_that_no_store_can_have_is_refused_in_one_line(store: Path, path: str) -> None:
    with seated(task=TASK, store=str(store), stays=True) as seat:
        reply = seat.asked(OpenStore(path))
        while reply.reason.startswith("wait: "):
            seat.ready()
            reply = seat.asked(OpenStore(path))
        assert not reply.accepted and 0 < len(reply.reason) <= 500 and "\n" not in reply.reason


# ---- without processes -----------------------------------------------------------------------


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Short, as sockets' paths must be."""
    with tempfile.TemporaryDirectory(prefix="desk") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def test_a_running_desk_is_found_and_a_second_one_is_refused_in_one_line(runtime: Path) -> None:
    assert find_desk() is None
    with private_endpoints() as links:
        with announce(links):
            assert find_desk() == links
            assert address_file().stat().st_mode & 0o777 == 0o600
            with (pytest.raises(DeskRunsAlready, match=f"process {os.getpid()}.*tandem console"),
                  announce(links)):
                pass
            assert find_desk() == links
        assert find_desk() is None and not address_file().exists()


def test_what_a_killed_desk_left_is_no_desk(runtime: Path) -> None:
    with private_endpoints() as links:
        with announce(links):
            left = address_file().read_bytes()
        address_file().write_bytes(left)
        address_file().chmod(0o600)
        assert find_desk() is None
        with announce(links):
            assert find_desk() == links


@pytest.mark.parametrize("content", [b"", b"{}", b'{"pid": 1, "links": {}}'])
def test_a_file_that_is_no_address_leads_nowhere(runtime: Path, content: bytes) -> None:
    address_file().write_bytes(content)
    address_file().chmod(0o600)
    assert find_desk() is None


def test_somebody_elses_desk_is_not_joined(runtime: Path) -> None:
    with private_endpoints() as links, announce(links):
        address_file().chmod(0o644)
        assert find_desk() is None


def test_the_processes_understand_what_the_desk_tells_them() -> None:
    desk = DeskConfig(store="/somewhere")
    with private_endpoints() as links:
        for spec, kind in ((robot_worker(desk, links), RobotHostConfig),
                           (station_worker(desk, links), StationConfig),
                           (recorder_worker(desk, links), RecorderConfig),
                           (rrd_worker(desk), RrdConfig),
                           (rerun_worker(desk, links), RerunConfig)):
            assert set(spec.config) <= set(kind.__struct_fields__)
            msgspec.json.decode(msgspec.json.encode(spec.config), type=kind)
