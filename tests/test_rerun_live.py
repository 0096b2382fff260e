"""The live view: its server is heard on this machine only, and it shows what the station says."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest
from rerun.error_utils import RerunWarning
from rerun.experimental import RrdReader

from recorders.clock import NS_PER_S, SystemClock
from recorders.streams import Batch
from studio.devices.interfaces import RobotInfo
from studio.sim.robot import SimRobot
from studio.station.messages import Alert, Mode, RecorderHealth, Snapshot, tick_stream
from studio.station.processes.bus import Endpoints, LatestPublisher, open_context, private_endpoints
from studio.station.processes.rerun_server import (
    LOOPBACK,
    ViewerServer,
    ViewerServerFailed,
    environment,
    free_port,
    server_program,
)
from studio.station.processes.rerun_worker import LiveView, RerunConfig, merged
from studio.station.processes.robot_host import RobotHostConfig
from studio.station.processes.supervisor import Supervisor, WorkerSpec
from studio.station.processes.watch import BATCHES, SNAPSHOT
from studio.station.processes.wire import encode_batches, pack

pytestmark = pytest.mark.alone

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def info() -> RobotInfo:
    return SimRobot(SystemClock(), render=False).info


def until(wanted: Callable[[], bool], otherwise: Callable[[], object] = lambda: None) -> None:
    """Wait for what another process does, and do something between two looks."""
    clock = SystemClock()
    deadline_ns = clock.now_ns() + round(PATIENCE_S * NS_PER_S)
    while not wanted():
        assert clock.now_ns() < deadline_ns, "waited in vain"
        otherwise()
        clock.wait_until(clock.now_ns() + NS_PER_S // 20)


def snapshot(episode: str, **fields: object) -> Snapshot:
    needed = [field.name for field in msgspec.structs.fields(Snapshot) if field.required]
    plain = dict.fromkeys(needed, 0) | {
        "mode": Mode.AUTO, "reason": "", "owners": (), "task": "push-button", "phase": "approach",
        "instruction": "push the button", "success": False, "episode": episode, "practice": False,
        "position": (), "sent": (), "tool_pose": (), "wrench": (), "human_axes": (), "streams": (),
        "human_enabled": False, "recorder": RecorderHealth(), "stamp_ns": 20 * NS_PER_S,
        "episode_s": 2.0, "problems": (), "policy": None}
    return Snapshot(**(plain | fields))     # type: ignore[arg-type]


def ticks(info: RobotInfo, first: int, count: int) -> Batch:
    rows = np.zeros(count, tick_stream(info, 100).row_dtype)
    rows["seq"] = np.arange(first, first + count)
    rows["t_mono_ns"] = 18 * NS_PER_S + rows["seq"] * 10_000_000
    return Batch("tick", rows)


class Viewer:
    """What a viewer that connects is sent, kept in a file by Rerun's own program."""

    def __init__(self, url: str, file: Path) -> None:
        self.file = file
        self.process = subprocess.Popen(
            [str(server_program()), url, "--save", str(file), "--bind", LOOPBACK, "--port", "auto"],
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def entities(self) -> set[str]:
        """Entity paths of what was sent so far."""
        printed = subprocess.run(
            [str(server_program()), "rrd", "print", str(self.file)], env=environment(),
            capture_output=True, text=True, check=False).stdout
        return {line.split(" - ")[1] for line in printed.splitlines()
                if line.startswith("Chunk(")}

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def listening(pid: int) -> set[str]:
    """Addresses on which a process or one of its children accepts connections from a network."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return {connection.laddr.ip for process in family
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN}


def test_the_server_is_heard_on_this_machine_only() -> None:
    with ViewerServer(SystemClock(), port=0) as server:
        assert listening(server.process.pid) == {LOOPBACK}
        assert server.url == f"rerun+http://127.0.0.1:{server.port}/proxy"
        process = psutil.Process(server.process.pid)
    assert not process.is_running()


def test_the_server_keeps_no_usage_statistics(tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for _ in range(2):      # events of the first run would be sent by the second
        ViewerServer(SystemClock(), port=0).close()
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with ViewerServer(SystemClock(), port=0) as first:
        assert free_port(first.port) != first.port
        with ViewerServer(SystemClock(), port=first.port) as second:
            assert second.port != first.port


def test_a_server_that_does_not_start_says_what_it_said() -> None:
    with pytest.raises(ViewerServerFailed, match=r"did not start on 127\.0\.0\.1"):
        ViewerServer(SystemClock(), port=0, memory_limit="plenty")


def test_every_episode_is_a_recording_of_its_own(info: RobotInfo, tmp_path: Path) -> None:
    streams = (tick_stream(info, 100), *info.streams)
    with ViewerServer(SystemClock(), port=0) as server:
        view = LiveView(server.url, streams, "")
        view.follow(snapshot(""))
        view.show([ticks(info, 0, 5)])
        view.follow(snapshot("first"))
        view.show([ticks(info, 5, 5), ticks(info, 10, 5)])
        view.follow(snapshot("second", problems=("the wrist camera is late",),
                             alert=Alert(1, "force", "the wrist feels more", 9.0, 5.0, 0)))
        view.close()
        viewer = Viewer(server.url, tmp_path / "seen.rrd")
        try:
            wanted = {"/commands/sent", "/log/instruction", "/log/problem", "/log/alert",
                      "/state/phase"}
            until(lambda: wanted <= viewer.entities())
        finally:
            viewer.close()
    ids = {entry.recording_id for entry in _stores(tmp_path / "seen.rrd")}
    assert {"live first", "live second", "live between episodes 1"} <= ids


def _stores(file: Path) -> list:
    with pytest.warns(RerunWarning, match="no footer"):      # it was cut off while being written
        return RrdReader(str(file)).recordings()


def test_batches_of_a_stream_are_joined_in_order(info: RobotInfo) -> None:
    (joined,) = merged([ticks(info, 0, 3), ticks(info, 3, 2)])
    np.testing.assert_array_equal(joined.rows["seq"], np.arange(5))


def _tail(supervisor: Supervisor) -> tuple[str, ...]:
    return next(state.tail for state in supervisor.states() if state.name == "rerun")


def test_the_worker_shows_what_the_station_publishes_on_this_machine_only(tmp_path: Path) -> None:
    with private_endpoints() as links, Supervisor(SystemClock()) as supervisor, \
            open_context() as context:
        _start(supervisor, links)
        (worker,) = [state for state in supervisor.states() if state.name == "rerun"]
        assert listening(worker.pid) == {LOOPBACK}
        until(lambda: "live view" in "".join(_tail(supervisor)))
        url = next(line.split()[-1] for line in _tail(supervisor) if "live view" in line)
        publisher = LatestPublisher(context, links.watch)
        info = SimRobot(SystemClock(), render=False).info
        viewer = Viewer(url, tmp_path / "seen.rrd")

        def publish() -> None:
            publisher.publish(SNAPSHOT, [pack(snapshot("an-episode"))])
            publisher.publish(BATCHES, encode_batches([ticks(info, 0, 3)]))

        try:
            wanted = {"/commands/sent", "/state/owner", "/world/arm/link1/cylinders"}
            until(lambda: wanted <= viewer.entities(), otherwise=publish)
        finally:
            viewer.close()
        children = [child.pid for child in psutil.Process(worker.pid).children(recursive=True)]
        supervisor.stop("rerun")
        assert children and not any(psutil.pid_exists(pid) for pid in (worker.pid, *children))


def _start(supervisor: Supervisor, links: Endpoints) -> None:
    quiet = {key: value for key, value in environment().items() if key not in os.environ}
    supervisor.start(WorkerSpec(name="robot", role="robot", config=RobotHostConfig(
        links=links, driver="studio.sim.robot:SimRobot", options={"render": False})))
    supervisor.wait_ready("robot", timeout_s=PATIENCE_S)
    supervisor.start(WorkerSpec(name="rerun", role="rerun", environment=quiet,
                                config=RerunConfig(links=links, port=0)))
    supervisor.wait_ready("rerun", timeout_s=PATIENCE_S)
