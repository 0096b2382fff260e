"""What every robot promises the station, simulated or real, ours or of one file in the docs."""

import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles.feetech_bus import write_calibration
from doubles.servo_arm_process import ServoArmProcess

from recorders.clock import SystemClock
from recorders.streams import Batch
from studio.devices.interfaces import DeviceError, RobotDriver
from studio.station.loop.kinematics import ArmKinematics
from studio.station.robots import open_robot

pytestmark = [pytest.mark.alone, pytest.mark.slow]

CLOCK, WAIT = SystemClock(), threading.Event()
DOCS = Path(__file__).resolve().parent.parent / "docs/robots.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bus with servos, and the two files of the page on robots."""
    at = tmp_path_factory.mktemp("robots")
    for name, language in (("my_arm.py", "python"), ("my_arm.xml", "xml")):
        found = re.search(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
        assert found is not None
        (at / name).write_text(found[1])
    write_calibration(at, "arm")
    servos = ServoArmProcess(at / "port")
    sys.path.append(str(at))
    yield at
    sys.path.remove(str(at))
    servos.close()


ROBOTS: dict[str, Callable[[Path], RobotDriver]] = {
    "sim": lambda at: open_robot("sim", CLOCK, render=False),
    "so101_follower": lambda at: open_robot("so101_follower", CLOCK, fields={
        "port": str(at / "port"), "id": "arm", "calibration_dir": str(at)}),
    "my_arm": lambda at: open_robot("my_arm", CLOCK, model=str(at / "my_arm.xml"), fields={
        "discover_packages_path": "my_arm", "calibration_dir": str(at)}),
}


@pytest.fixture(params=ROBOTS)
def robot(request: pytest.FixtureRequest, folder: Path) -> Iterator[RobotDriver]:
    driver = ROBOTS[request.param](folder)
    yield driver
    driver.disconnect()


def batches(robot: RobotDriver, so: Callable[[np.void], bool] = lambda row: True) -> list[Batch]:
    """What a robot says until its newest sample of the arm is so."""
    said: list[Batch] = []
    for _ in range(2000):
        said += robot.poll()
        arm = [batch for batch in said if batch.stream == "arm" and len(batch.rows)]
        if arm and so(arm[-1].rows[-1]):
            return said
        WAIT.wait(0.005)
    raise AssertionError(f"{robot.info.name} never came to that; its fault is {robot.fault!r}")


def newest(said: list[Batch]) -> np.void:
    return [batch for batch in said if batch.stream == "arm"][-1].rows[-1]


def test_what_a_robot_declares_before_it_is_connected_fits_together(robot):
    info = robot.info
    count = len(info.joint_names)
    for each in (info.lower, info.upper, info.home, info.max_velocity, info.max_acceleration,
                 info.max_jerk):
        assert len(each) == count and np.isfinite(each).all()
    assert len(info.arm_joints) == count - 1
    assert (np.array(info.lower) < info.upper).all()
    assert (np.array(info.lower) <= info.home).all() and (info.home <= np.array(info.upper)).all()
    assert [spec.name for spec in info.streams].count("arm") == 1
    low, high = info.workspace or ((-9, -9, -9), (9, 9, 9))
    assert (np.array(low) < high).all()
    ArmKinematics(info)         # its model has the joints and the tool that it names


def test_samples_come_in_order_with_the_stamps_of_this_machine_and_where_the_tool_is(robot):
    robot.connect()
    begin_ns = CLOCK.now_ns()
    said = batches(robot, lambda row: row["seq"] > 20)
    rows = np.concatenate([batch.rows for batch in said if batch.stream == "arm"])
    assert (np.diff(rows["seq"]) > 0).all() and (np.diff(rows["t_mono_ns"]) > 0).all()
    assert rows["t_mono_ns"][-1] >= begin_ns - 10**9
    assert rows["t_mono_ns"][-1] <= CLOCK.now_ns()
    pose = ArmKinematics(robot.info).forward(rows["position"][-1])
    np.testing.assert_allclose(rows["tool_pose"][-1][:3], pose[:3], atol=1e-4)


def test_a_robot_goes_where_it_is_told_and_stays_there_when_it_is_told_to_hold(robot):
    robot.connect()
    start = newest(batches(robot))["position"].copy()
    target = start.copy()
    target[0] += 0.15 if start[0] + 0.15 < robot.info.upper[0] else -0.15
    robot.send(target)
    batches(robot, lambda row: abs(row["position"][0] - target[0]) < 0.01)
    robot.hold()
    held = newest(batches(robot))["position"]
    np.testing.assert_allclose(held[:-1], target[:-1], atol=0.02)
    assert robot.fault == ""


def test_a_target_beyond_its_limits_is_kept_within_them_and_nonsense_is_refused(robot):
    robot.connect()
    start = newest(batches(robot))["position"].copy()
    for nonsense in (start[:-1], np.full_like(start, np.nan)):
        with pytest.raises(DeviceError, match="finite"):
            robot.send(nonsense)
    target = start.copy()
    target[0] = robot.info.upper[0] + 1.0
    robot.send(target)
    batches(robot, lambda row: abs(row["position"][0] - robot.info.upper[0]) < 0.02)
    assert newest(batches(robot))["position"][0] < robot.info.upper[0] + 0.05


def test_a_robot_may_be_let_go_of_twice_and_before_it_was_connected(robot):
    robot.disconnect()
    robot.connect()
    robot.disconnect()
    robot.disconnect()
