"""LeRobot's own SO-101 follower at our station, on servos that move and break.

Real pyserial, Feetech SDK and LeRobot; the servos are in a process of their own.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles.feetech_bus import write_calibration
from doubles.servo_arm import RAD
from doubles.servo_arm_process import ServoArmProcess

from recorders.clock import ManualClock, SystemClock
from studio.devices.interfaces import DeviceError
from studio.devices.joint_units import joint_units
from studio.devices.lerobot_bus import LerobotBus
from studio.devices.lerobot_robot import LerobotRobot
from studio.station.processes.bus import open_context, private_endpoints
from studio.station.processes.remote_robot import RemoteRobot, open_remote_robot
from studio.station.processes.supervisor import Supervisor, WorkerSpec
from studio.station.robots import open_robot

pytestmark = [pytest.mark.alone, pytest.mark.slow]

MIDDLE = 2000       # steps: where every servo's calibrated range has its middle
CLOCK = SystemClock()
WAIT = threading.Event()        # never set: waiting for it is waiting for the arm


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServoArmProcess]:
    folder = tmp_path_factory.mktemp("arm")
    write_calibration(folder, "follower")
    process = ServoArmProcess(folder / "port")
    yield process
    process.close()


@pytest.fixture(autouse=True)
def well(arm: ServoArmProcess) -> None:
    arm.call("set", "silent", [])
    arm.call("set", "stuck", [])
    arm.call("place", {str(number): MIDDLE for number in range(1, 7)})


def fields(arm: ServoArmProcess, **more: Any) -> dict[str, Any]:
    return {"port": str(arm.port), "id": "follower", "calibration_dir": str(arm.port.parent),
            **more}


def opened(arm: ServoArmProcess, **more: Any) -> LerobotRobot:
    robot = LerobotRobot(CLOCK, "so101_follower", fields=fields(arm, **more))
    robot.connect()
    return robot


class Watched:
    """A driver and the newest row of its arm."""

    def __init__(self, driver: Any) -> None:
        self.driver, self.row = driver, None

    def until(self, so: Callable[[Any], bool], *, telling: np.ndarray | None = None) -> Any:
        """Poll, and perhaps go on saying a target, until the newest row is so."""
        for _ in range(3000):
            if telling is not None:
                self.driver.send(telling)
            for batch in self.driver.poll():
                if batch.stream == "arm" and len(batch.rows):
                    self.row = batch.rows[-1]
            if self.row is not None and so(self.row):
                return self.row
            WAIT.wait(0.005)
        raise AssertionError(f"it never came to that: {self.row}, {self.driver.fault!r}")


def test_an_arm_goes_where_it_is_told_and_says_what_it_was_told(arm):
    robot = opened(arm)
    assert robot.info.joint_names == ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex",
                                      "wrist_roll", "gripper")
    assert robot.info.lower[0] == pytest.approx(-1000 / RAD, abs=1e-2)      # the calibrated range
    watched = Watched(robot)
    start = watched.until(lambda row: True)["position"]
    np.testing.assert_allclose(start, [0, 0, 0, 0, 0, 0.5], atol=1e-3)
    there = np.array([0.3, -0.2, 0, 0, 0, 1.0])
    row = watched.until(lambda row: np.allclose(row["position"], there, atol=3e-3), telling=there)
    np.testing.assert_allclose(row["goal"], there, atol=2e-3)
    assert arm.call("goal", 1) == pytest.approx(MIDDLE + 0.3 * RAD, abs=2)
    assert row["tool_pose"][1] < -0.05                  # a positive pan turns it to the right
    assert np.isnan(row["effort"]).all()                # LeRobot does not tell it
    watched.until(lambda row: not row["velocity"].any())
    robot.disconnect()


def test_letting_go_of_an_arm_under_way_holds_it_where_it_is_with_its_torque_on(arm):
    robot = opened(arm)
    arm.call("set", "speed", 200.0)         # steps/s: it is under way for seconds
    watched = Watched(robot)
    far = np.array([1.4, 0, 0, 0, 0, 0.5])
    robot.send(far)
    moving = watched.until(lambda row: row["position"][0] > 0.2)
    robot.disconnect()
    before = MIDDLE + 1.35 * RAD            # it would take it five seconds to be there
    held = arm.until(lambda goal: goal < before, "goal", 1)
    assert held >= MIDDLE + (moving["position"][0] - 0.01) * RAD
    assert arm.call("torque", 1)


def test_one_that_is_clipped_by_lerobot_says_what_was_really_sent(arm):
    robot = opened(arm, max_relative_target=5.0)
    robot.send(np.array([1.0, 0, 0, 0, 0, 0.5]))
    row = Watched(robot).until(lambda row: np.isfinite(row["goal"][0]))
    assert row["goal"][0] == pytest.approx(np.deg2rad(5.0), abs=0.01)
    robot.disconnect()


def test_every_fault_of_a_bus_is_named_and_outlived(arm):
    """One test for the life of one connection, which takes LeRobot a while to make."""
    robot = opened(arm)
    watched = Watched(robot)
    watched.until(lambda row: True)

    arm.call("set", "noise", 1)
    seq = watched.until(lambda row: True)["seq"]
    watched.until(lambda row: row["seq"] > seq + 5)
    assert robot.fault == ""

    arm.call("set", "silent", [3])
    watched.until(lambda row: bool(robot.fault))
    assert "elbow_flex does not answer" in robot.fault
    arm.call("set", "silent", [])
    watched.until(lambda row: not robot.fault)

    arm.call("set", "silent", [1, 2, 3, 4, 5, 6])
    watched.until(lambda row: bool(robot.fault))
    assert "no motor answers" in robot.fault and str(arm.port) in robot.fault
    arm.call("set", "silent", [])
    watched.until(lambda row: not robot.fault)

    robot.send(np.array([0.4, 0, 0, 0, 0, 0.5]))
    arm.call("unplug")
    watched.until(lambda row: bool(robot.fault))
    assert "is gone" in robot.fault and "check its power" in robot.fault
    robot.send(np.array([0.8, 0, 0, 0, 0, 0.5]))        # said while it is gone: means nothing
    arm.call("plug")
    gone = watched.until(lambda row: True)["t_mono_ns"]
    row = watched.until(lambda row: not robot.fault and row["t_mono_ns"] > gone)
    assert (arm.call("goal", 1) - MIDDLE) / RAD < 0.45
    assert row["seq"] > seq
    robot.disconnect()


@pytest.mark.parametrize(("given", "why"), [
    ({"port": "/dev/null"}, r"cannot be opened.*/dev/null.*lerobot-find-port"),
    ({"id": "stranger"}, r"not calibrated.*lerobot-calibrate --robot.type=so101_follower "
                         r"--robot.port=.* --robot.id=stranger"),
    ({"id": "cut"}, r"so101_follower: its calibration cannot be read .*cut\.json.*"
                    r"lerobot-calibrate --robot.type=so101_follower"),
    ({"colour": "red"}, r"`colour`.*valid are port, "),
])
def test_what_cannot_be_opened_is_said_in_one_line_with_what_to_do(arm, given, why):
    (arm.port.parent / "cut.json").write_text('{"shoulder_pan": {"id": 1, "dri')
    with pytest.raises(DeviceError, match=why) as refusal:
        opened(arm, **given)
    assert "\n" not in str(refusal.value)


def test_a_robot_without_a_model_or_without_its_sdk_says_what_it_needs(arm):
    with pytest.raises(DeviceError, match=r"so100_follower comes without a model.*--robot\.model"):
        open_robot("so100_follower", CLOCK, fields=fields(arm))
    with pytest.raises(DeviceError, match=r"koch_follower.*pip install"):
        open_robot("koch_follower", CLOCK, fields=fields(arm))


def test_nobody_waits_for_a_bus_that_blocks():
    """A read that never returns: sending and polling go on all the same."""
    asked, release = threading.Event(), threading.Event()

    class Stuck:
        is_calibrated, reads = True, 0

        def connect(self, calibrate: bool) -> None: ...
        def disconnect(self) -> None: ...
        def send_action(self, action: dict[str, float]) -> dict[str, float]: return action

        def get_observation(self) -> dict[str, float]:
            self.reads += 1
            if self.reads > 1:
                asked.set()
                release.wait()
            return {"a.pos": 0.0, "gripper.pos": 0.0}

    units = joint_units(("a.pos", "gripper.pos"), "rad", np.zeros(1), np.zeros(1), 1.0)
    bus = LerobotBus(ManualClock(10**9), Stuck, units, title="stuck", remedy="wait",
                     uncalibrated="calibrate", rate_hz=100.0)
    thread = threading.Thread(target=bus.step)
    thread.start()
    assert asked.wait(30)
    for turn in range(100):
        bus.send(np.array([turn, 0.0]))
        assert bus.take() == []
    release.set()
    thread.join(30)
    assert len(bus.take()) == 1


def test_the_robots_process_holds_an_arm_whose_station_and_supervisor_are_killed(arm):
    """The station falls silent in full motion, then the process's own tie is cut: SIGKILL of all
    that is above it looks like this from below."""
    with open_context() as context, private_endpoints() as links, Supervisor(CLOCK) as supervisor:
        supervisor.start(WorkerSpec(name="robot", role="robot", config={
            "links": links, "driver": "studio.station.robots:open_robot",
            "options": {"name": "so101_follower", "fields": fields(arm)}}))
        supervisor.wait_ready("robot", timeout_s=60)
        robot: RemoteRobot = open_remote_robot(context, links, CLOCK)
        watched = Watched(robot)
        at = np.array(watched.until(lambda row: True)["position"])
        at[0] += 0.1
        watched.until(lambda row: row["position"][0] > 0.09, telling=at)
        far = at + np.array([1.3, 0, 0, 0, 0, 0])
        robot.send(far)                                 # the last word, far ahead of the arm
        watched.until(lambda row: robot.held)
        stopped = watched.until(lambda row: not row["velocity"].any())["position"][0]
        assert stopped < far[0] - 0.2
        goal = arm.call("goal", 1)
        assert goal == pytest.approx(MIDDLE + stopped * RAD, abs=5)
        robot.disconnect()
    assert arm.call("torque", 1)                        # the supervisor has ended the process
    assert arm.call("goal", 1) == pytest.approx(goal, abs=5)


def test_a_session_that_cannot_be_is_one_line_and_exit_code_2(arm, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "studio.cli", "record", "--robot", "so101_follower", "--robot.port",
         "/dev/no_such_port", "--teleop", "gamepad", "--task", "wave", "--headless",
         "--to", str(tmp_path / "store")],
        capture_output=True, text=True, cwd=Path(__file__).resolve().parent.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "there is no port /dev/no_such_port" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()
