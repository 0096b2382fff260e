"""LeRobot's own SO-101 leader in its own process, on an emulated bus; and what its numbers mean."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles.feetech_bus import FeetechBus, write_calibration
from hypothesis import given
from hypothesis import strategies as st

from recorders.clock import ManualClock
from studio.devices.interfaces import DeviceError, DeviceStatus
from studio.devices.leader_mapping import (
    LeaderConfig,
    MotionState,
    joint_order,
    joints_of,
    motion_held,
    next_motion,
)
from studio.devices.lerobot_leader import LerobotLeader

pytestmark = pytest.mark.alone

MS = 1_000_000
ROOT = Path(__file__).resolve().parent.parent
NAMES = ("gripper.pos", "shoulder_pan.pos", "elbow_flex.pos")


def config(**options: Any) -> LeaderConfig:
    return LeaderConfig("so101_leader", **options)


def test_the_gripper_comes_last_unless_an_order_is_given():
    assert joint_order(NAMES, config()) == ("shoulder_pan.pos", "elbow_flex.pos", "gripper.pos")
    given_order = ("elbow_flex.pos", "shoulder_pan.pos", "gripper.pos")
    assert joint_order(NAMES, config(joints=given_order)) == given_order
    with pytest.raises(DeviceError, match=r"valid are gripper\.pos"):
        joint_order(NAMES, config(joints=("elbow.pos",)))


@pytest.mark.parametrize(("options", "angle"), [
    ({}, np.deg2rad(50.0)),
    ({"unit": "rad"}, 50.0),
    ({"unit": "m100_100", "lower_rad": (-1.0,), "upper_rad": (3.0,)}, 2.0),
])
def test_angles_arrive_in_rad_and_the_gripper_in_0_to_1_whatever_the_leader_speaks(options, angle):
    order = joint_order(("a.pos", "gripper.pos"), config(**options))
    joints = joints_of({"a.pos": 50.0, "gripper.pos": 25.0}, order, config(**options))
    np.testing.assert_allclose(joints, [angle, 0.25])


@pytest.mark.slow
def test_a_leader_that_lerobot_reads_in_percent_is_never_taken_for_degrees(bench):
    _, given = bench
    told = config(fields=given.fields | {"use_degrees": False})
    with pytest.raises(DeviceError, match=r"shoulder_pan\.pos.* in -100\.\.100 .*use_degrees"):
        LerobotLeader(ManualClock(10**9), told, background=False).connect()


def test_a_leader_in_percent_must_say_what_the_percents_mean():
    with pytest.raises(DeviceError, match="lower_rad"):
        joint_order(NAMES, config(unit="m100_100"))


def moved(*angles: float) -> tuple[MotionState, int]:
    """The state after readings of one joint, one every 16 ms."""
    state, now_ns = MotionState(np.array([angles[0]])), 0
    for angle in angles:
        now_ns += 16 * MS
        state = next_motion(state, np.array([angle]), config(), now_ns)
    return state, now_ns


@given(st.lists(st.floats(-0.014, 0.014), min_size=1, max_size=60))
def test_a_leader_that_only_trembles_is_not_driven(angles):
    state, now_ns = moved(0.0, *angles)
    assert not motion_held(state, config(), now_ns)


def test_a_leader_is_driven_from_its_first_real_motion_until_it_has_been_still_for_300_ms():
    state, now_ns = moved(0.0, 0.04)
    assert motion_held(state, config(), now_ns)
    state, now_ns = moved(0.0, *(0.02 * step for step in range(2, 100)))
    assert motion_held(state, config(), now_ns + 299 * MS)
    assert not motion_held(state, config(), now_ns + 300 * MS)
    state, now_ns = moved(0.0, 0.04, *[0.04] * 20)
    assert not motion_held(state, config(), now_ns)


def test_a_leader_moved_very_slowly_is_noticed_all_the_same():
    state, now_ns = moved(*(0.001 * step for step in range(40)))
    assert motion_held(state, config(), now_ns)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FeetechBus, LeaderConfig]]:
    folder = tmp_path_factory.mktemp("leader")
    bus = FeetechBus(folder / "port")
    bus.plug()
    write_calibration(folder)
    yield bus, config(fields={"port": str(folder / "port"), "id": "leader",
                              "calibration_dir": str(folder)})
    bus.unplug()


def listen(leader: LerobotLeader, until: Callable[[], bool]) -> None:
    """Run the device's rounds until something is so; a round waits for at most 50 ms."""
    for _ in range(600):
        if until():
            return
        leader.poll()
    raise AssertionError(f"it never came to that; fault: {leader.fault}")


@pytest.mark.slow
def test_a_leader_turned_by_hand_moves_the_joints_and_survives_every_fault(bench):
    """One test for the whole life of the process, which takes seconds to start."""
    bus, leader_config = bench
    clock = ManualClock(10**9)
    leader = LerobotLeader(clock, leader_config, background=False)
    leader.connect()
    at_rest = leader.read()
    assert at_rest.status == DeviceStatus.OK
    assert at_rest.joints is not None
    np.testing.assert_allclose(at_rest.joints, [0, 0, 0, 0, 0, 0.5], atol=1e-3)

    steps = 4096 // 8
    bus.place({1: 2000 + steps, 6: 3000})
    listen(leader, lambda: leader.get_action()["shoulder_pan.pos"] > 0.7)
    clock.advance(16 * MS)
    listen(leader, lambda: leader.get_action()["gripper.pos"] == 1.0)
    assert leader.get_action()["shoulder_pan.pos"] == pytest.approx(np.pi / 4, abs=0.01)
    assert leader.read().enabled

    clock.advance(201 * MS)     # the process is alive but has not been heard
    assert leader.read().status == DeviceStatus.STALE
    listen(leader, lambda: leader.read().status == DeviceStatus.OK)

    bus.silent = {3}
    listen(leader, lambda: leader.read().status == DeviceStatus.LOST)
    assert "check its cable" in leader.fault
    bus.silent = set()
    listen(leader, lambda: leader.read().status == DeviceStatus.OK)

    process = leader._process
    assert process is not None and process.stdin is not None
    process.stdin.close()       # as if we had been killed
    assert process.wait(60) == 0
    leader.disconnect()


_REFUSALS = """
import sys
from recorders.clock import SystemClock
from studio.devices.leader_process import LeaderHost, LeaderRequest, Refused, make_teleoperator
port, folder = sys.argv[1:]
fields = {"port": port, "id": "leader", "calibration_dir": folder}
for request in (LeaderRequest("so999_leader"), LeaderRequest("so101_leader", {"colour": "red"})):
    try:
        make_teleoperator(request)
    except Refused as error:
        print(error)
open(folder + "/cut.json", "w").write('{"shoulder_pan": {"id": 1, "dri')
for given in (fields, fields | {"id": "cut"}):
    try:
        LeaderHost(LeaderRequest("so101_leader", given), SystemClock(), 2)._open()
    except Refused as error:
        print(error)
"""


@pytest.mark.slow
def test_what_lerobot_can_never_do_is_refused_with_what_is_valid(bench, tmp_path: Path):
    """An unknown type, an unknown field, no calibration file, and half of one."""
    bus, _ = bench
    done = subprocess.run([sys.executable, "-c", _REFUSALS, bus.port, tmp_path], cwd=ROOT,
                          capture_output=True, text=True, check=True)
    unknown, field, uncalibrated, half = done.stdout.splitlines()
    assert "unknown LeRobot teleoperator 'so999_leader'" in unknown
    assert "so101_leader" in unknown
    assert "colour" in field
    assert "lerobot-calibrate" in uncalibrated
    assert "calibration cannot be read" in half and "cut.json" in half
    assert "lerobot-calibrate" in half


def played_by(script: str, **options: Any) -> LerobotLeader:
    """A leader whose process is a few lines of Python; they read the request and print reports."""
    code = "import sys\nsys.stdin.readline()\n" + script + "\nsys.stdout.flush()\n"
    return LerobotLeader(ManualClock(10**9), config(**options), background=False,
                         command=[sys.executable, "-c", code])


HELLO = """print('{"features": ["a.pos", "gripper.pos"]}')"""
READING = """print('{"action": {"a.pos": 90.0, "gripper.pos": 100.0}}')"""


def test_a_refusal_is_raised_by_connect_and_leaves_no_process():
    leader = played_by("""print('{"refused": "never"}')""")
    with pytest.raises(DeviceError, match="never"):
        leader.connect()
    assert not leader.is_connected and leader._process is None


def test_a_process_that_crashes_at_once_is_quoted():
    with pytest.raises(DeviceError, match="ModuleNotFoundError: No module named 'no_such_driver'"):
        played_by("import no_such_driver").connect()


def test_joints_that_do_not_fit_are_refused_by_connect():
    with pytest.raises(DeviceError, match=r"valid are a\.pos, gripper\.pos"):
        played_by(HELLO + "\n" + READING, joints=("b.pos",)).connect()


def test_a_process_that_dies_is_started_again():
    leader = played_by(HELLO + "\n" + READING)
    leader.connect()
    assert leader.get_action()["a.pos"] == pytest.approx(np.pi / 2)
    listen(leader, lambda: leader.read().status == DeviceStatus.LOST)
    assert "process ended" in leader.fault
    listen(leader, lambda: leader.read().status == DeviceStatus.OK)
    assert not leader.read().enabled    # wherever the arm was put meanwhile, nobody drives it
    leader.disconnect()


def test_a_line_cut_in_two_is_one_reading():
    half = "sys.stdout.write(%r); sys.stdout.flush()"
    leader = played_by("\n".join([HELLO, half % '{"action": {"a.pos": 90.0, ',
                                  half % '"gripper.pos": 0}}\n', "sys.stdin.read()"]))
    leader.connect()
    assert leader.get_action()["gripper.pos"] == 0.0
    leader.disconnect()


def test_its_own_thread_connects_listens_and_shows_nonsense_as_a_fault():
    code = "\n".join(["import sys", "sys.stdin.readline()", HELLO, READING,
                      "sys.stdout.flush()", "sys.stdin.read()"])
    leader = LerobotLeader(ManualClock(10**9), config(), command=[sys.executable, "-c", code])
    leader.connect()
    assert leader.read().status == DeviceStatus.OK
    leader.disconnect()
    assert leader.read().status == DeviceStatus.OFF

    garbled = LerobotLeader(ManualClock(10**9), config(), command=[
        sys.executable, "-c", code.replace("sys.stdin.read()", "print('nonsense', flush=True)")])
    with contextlib.suppress(DeviceError):      # the nonsense may come before connect has ended
        garbled.connect()
    assert garbled._reader is not None
    garbled._reader.start()
    listen_in_thread(garbled, "JSON is malformed")
    garbled._reader.stop()


def listen_in_thread(leader: LerobotLeader, word: str) -> None:
    assert leader._reader is not None
    for _ in range(600):
        if word in leader.fault:
            return
        leader._reader.wait_for_rounds(leader._reader.rounds + 1, timeout_s=1)
    raise AssertionError(f"it never came to that; fault: {leader.fault}")
