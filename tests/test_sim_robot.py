"""The simulated robot: its streams, its stamps, its clock, its limits, and LeRobot's shape."""

import inspect
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recorders.clock import ManualClock
from recorders.streams import Batch
from studio.devices.interfaces import DeviceError, Resettable
from studio.sim.arm_model import HOME_RAD
from studio.sim.clocked_robot import MOST_CATCH_UP_NS
from studio.sim.robot import SimRobot

MS = 1_000_000


class RealTimeClock(ManualClock):
    """Turned by hand, but the robot is told that it is the machine's."""

    virtual = False


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(start_ns=7 * MS)


@pytest.fixture
def robot(clock: ManualClock) -> Iterator[SimRobot]:
    robot = SimRobot(clock, render=False)
    robot.connect()
    yield robot
    robot.disconnect()


def rows_of(batches: list[Batch]) -> dict[str, np.ndarray]:
    found = defaultdict(list)
    for batch in batches:
        found[batch.stream].append(batch.rows)
    return {name: np.concatenate(rows) for name, rows in found.items()}


def run(robot: SimRobot, clock: ManualClock, ticks: int) -> dict[str, np.ndarray]:
    batches = []
    for _ in range(ticks):
        clock.advance(10 * MS)
        batches += robot.poll()
    return rows_of(batches)


def test_every_row_fits_its_declared_stream(robot: SimRobot, clock: ManualClock) -> None:
    rows = run(robot, clock, 5)
    specs = {spec.name: spec for spec in robot.info.streams}
    assert set(rows) == set(specs) == {"arm", "contact", "sim"}
    for name, spec in specs.items():
        assert rows[name].dtype == spec.row_dtype


def test_streams_come_at_their_rates_with_even_stamps_and_no_gap(
    robot: SimRobot, clock: ManualClock,
) -> None:
    rows = run(robot, clock, 50)
    for spec in robot.info.streams:
        stamps, seq = rows[spec.name]["t_mono_ns"], rows[spec.name]["seq"]
        assert np.all(np.diff(stamps) == round(1e9 / spec.rate_hz)), spec.name
        assert np.all(np.diff(seq) == 1) and seq[0] == 0, spec.name
    assert len(rows["contact"]) == 250
    assert len(rows["arm"]) == 51       # the moment of connecting, and every 10 ms


def test_the_newest_row_is_as_new_as_the_clock(robot: SimRobot, clock: ManualClock) -> None:
    rows = run(robot, clock, 3)
    assert rows["arm"]["t_mono_ns"][-1] == clock.now_ns()
    wall = rows["arm"]["t_wall_ns"] - rows["arm"]["t_mono_ns"]
    assert set(wall) == {clock.wall_ns() - clock.now_ns()}


def test_the_arm_goes_where_it_is_told(robot: SimRobot, clock: ManualClock) -> None:
    target = np.array([*HOME_RAD, 0.2]) + 0.1
    robot.send(target)
    rows = run(robot, clock, 100)
    np.testing.assert_allclose(rows["arm"]["position"][-1], target, atol=2e-3)
    assert abs(rows["arm"]["velocity"][-1]).max() < 1e-3


def test_wrist_force_is_zero_at_rest_whatever_the_posture(
    robot: SimRobot, clock: ManualClock,
) -> None:
    robot.reset("push-button", 3)
    robot.send(np.array([0.4, 0.2, 0.3, 1.4, 0.5, 0.4, -0.6, 0.5]))
    run(robot, clock, 150)
    wrench = run(robot, clock, 10)["contact"]["wrench"]
    assert np.abs(wrench[:, :3]).max() < 0.05
    assert np.abs(wrench[:, 3:]).max() < 0.005


def test_wrist_force_is_what_the_world_does_to_the_tool(
    robot: SimRobot, clock: ManualClock,
) -> None:
    body = robot.world.model.body("arm/hand").id
    push_world_n = np.array([2.0, -3.0, 5.0])
    robot.world.data.xfrc_applied[body, :3] = push_world_n      # at the hand's centre of mass
    run(robot, clock, 60)
    wrench = run(robot, clock, 1)["contact"]["wrench"][-1]
    # Pointing down, the tool's x is the world's and its y and z are the world's reversed.
    np.testing.assert_allclose(wrench[:3], push_world_n * (1, -1, -1), atol=0.05)


def test_holding_keeps_the_arm_here_and_the_grip_closed(
    robot: SimRobot, clock: ManualClock,
) -> None:
    robot.send(np.array([*(np.array(HOME_RAD) + 0.4), 0.0]))
    run(robot, clock, 8)
    robot.hold()
    here = robot.world.position
    assert np.abs(here[:7] - HOME_RAD).max() > 0.02
    assert here[7] > 0.0 and robot.world.goal[7] == 0.0
    rows = run(robot, clock, 100)
    np.testing.assert_allclose(rows["arm"]["position"][-1, :7], here[:7], atol=5e-3)


@pytest.mark.parametrize("bad", [np.full(8, np.nan), np.zeros(7), np.array([np.inf] * 8)])
def test_what_is_no_target_never_reaches_the_motors(robot: SimRobot, bad: np.ndarray) -> None:
    before = robot.world.goal
    with pytest.raises(DeviceError, match="it was not sent"):
        robot.send(bad)
    np.testing.assert_array_equal(robot.world.goal, before)


def test_targets_are_kept_within_the_joints_limits(robot: SimRobot) -> None:
    robot.send(np.full(8, 100.0))
    np.testing.assert_array_equal(robot.world.goal, robot.info.upper)
    robot.send(np.full(8, -100.0))
    np.testing.assert_array_equal(robot.world.goal, robot.info.lower)


def test_a_starved_process_catches_up_a_little_and_shows_the_rest_as_a_gap() -> None:
    clock = RealTimeClock()
    robot = SimRobot(clock, render=False)
    robot.connect()
    run(robot, clock, 2)
    clock.advance(1_000 * MS)
    rows = rows_of(robot.poll())
    robot.disconnect()
    skipped_ms = (1_000 * MS - MOST_CATCH_UP_NS) // MS
    for spec in robot.info.streams:
        period_ms = 1e3 / spec.rate_hz
        assert rows[spec.name]["t_mono_ns"][-1] >= clock.now_ns() - 2 * MS
        assert len(rows[spec.name]) <= MOST_CATCH_UP_NS / MS / period_ms
        assert np.all(np.diff(rows[spec.name]["seq"]) == 1)     # the gap is before, none within
        # Two ticks were seen, and 0 counts as well; the contact rows lag by one.
        missing = rows[spec.name]["seq"][0] - round(20 / period_ms)
        assert missing == pytest.approx(skipped_ms / period_ms, abs=1)


def test_a_virtual_clock_never_makes_a_gap(robot: SimRobot, clock: ManualClock) -> None:
    clock.advance(1_000 * MS)
    rows = rows_of(robot.poll())
    assert len(rows["arm"]) == 101
    assert np.all(np.diff(rows["arm"]["seq"]) == 1)


def test_a_robot_that_is_not_connected_says_so(clock: ManualClock) -> None:
    robot = SimRobot(clock, render=False)
    for call in (robot.poll, robot.hold, lambda: robot.send(np.zeros(8))):
        with pytest.raises(DeviceError, match="call connect"):
            call()
    robot.disconnect()      # once more than connected is harmless


def test_diverged_physics_are_a_fault_until_the_scene_is_reset(
    robot: SimRobot, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)         # MuJoCo writes its log where it stands
    robot.world.data.qvel[:] = 1e12
    run(robot, clock, 2)
    assert robot.fault == "the simulated physics diverged: reset the scene"
    robot.reset("push-button", 0)
    rows = run(robot, clock, 2)
    assert robot.fault == ""
    assert np.isfinite(rows["sim"]["state"]).all()


def test_reset_tells_the_instruction_and_moves_the_world_but_not_the_stamps(
    robot: SimRobot, clock: ManualClock,
) -> None:
    run(robot, clock, 3)
    instruction = robot.reset("put-cube-in-bin", 11)
    assert "bin" in instruction
    rows = run(robot, clock, 2)["sim"]
    assert rows["t_mono_ns"][0] == 7 * MS + 40 * MS
    assert rows["t_device_ns"][0] == 10 * MS
    assert isinstance(robot, Resettable)


@pytest.mark.slow       # importing lerobot takes seconds
def test_lerobots_robot_finds_everything_it_asks_of_a_robot() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")         # not ours to fix
        from lerobot.robots.robot import Robot
    for name in Robot.__abstractmethods__:
        assert hasattr(SimRobot, name), name
        theirs, ours = getattr(Robot, name), getattr(SimRobot, name)
        assert isinstance(theirs, property) == isinstance(ours, property), name
        if not isinstance(theirs, property):
            wanted = list(inspect.signature(theirs).parameters)
            assert list(inspect.signature(ours).parameters)[:len(wanted)] == wanted, name


def test_lerobots_action_comes_back_as_it_was_really_sent(robot: SimRobot) -> None:
    sent = robot.send_action({"joint1.pos": 99.0, "gripper.pos": 0.5})
    assert sent == {"joint1.pos": robot.info.upper[0], "gripper.pos": 0.5}
    np.testing.assert_allclose(robot.world.goal[1:7], HOME_RAD[1:])
    with pytest.raises(DeviceError, match=r"unknown action 'elbow.pos'.*joint1.pos"):
        robot.send_action({"elbow.pos": 0.0})
