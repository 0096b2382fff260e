"""`tandem record` with LeRobot's SO-101, a leader and a RealSense camera; its station is killed.

The real commands on emulated servos, which are processes of their own and outlive whoever drives
them, and on a recording of librealsense's software device, whose end is the camera's unplugging.
Recorded twice, into one store and through one port: once until SIGKILL, once until Ctrl-C.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest
from doubles.feetech_bus import write_calibration
from doubles.realsense_bag import DEVICE_0_MS, DROPPED, FPS, SCALE_M, record_bag
from doubles.servo_arm import RAD
from doubles.servo_arm_process import ServoArmProcess

from recorders.clock import NS_PER_S, SystemClock
from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from recorders.streams import TAKEN
from studio import cli
from studio.devices.realsense import DOMAINS

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parent.parent
CLOCK = SystemClock()
WAIT = threading.Event()        # never set: waiting for it is waiting for the arm
PATIENCE_S = 120.0
SWAY_STEPS, SWAY_S = 400.0, 3.0
TRIES = 3           # librealsense once broke its heap as it let go of a `.bag`: begin again then
LIVES_S = 4.0                   # long enough for the camera to be lost and back


class Kept(msgspec.Struct, frozen=True):
    """What was seen, and what the store holds."""

    on_disk_s: float            # of the first episode, before the kill
    before: int                 # what the joint that swayed was told last before the kill, in steps
    goal: int                   # and what it was told when the command had ended
    stood: float                # where it was then
    torque: bool
    said: str                   # by the command whose station was killed
    said_then: str              # by the next one
    store: Path
    summaries: tuple[EpisodeSummary, ...]


class Arms:
    """A leader that a hand sways, and the follower."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("leader", "follower"):
            write_calibration(folder, name)
        self.leader = ServoArmProcess(folder / "l")
        self.follower = ServoArmProcess(folder / "f")

    def until(self, reached: Callable[[], bool], what: str) -> None:
        deadline_ns = CLOCK.now_ns() + round(PATIENCE_S * NS_PER_S)
        while not reached():
            assert CLOCK.now_ns() < deadline_ns, f"waited in vain for {what}"
            WAIT.wait(0.05)

    def at(self) -> float:
        return self.follower.call("position", 1)

    def close(self) -> None:
        self.leader.close()
        self.follower.close()


@contextmanager
def recording(arms: Arms, bag: Path, store: Path) -> Iterator[subprocess.Popen[str]]:
    """`tandem record`, from the moment that the follower follows."""
    told = [f"--{device}.{name}={value}" for device, port in (("robot", "f"), ("teleop", "l"))
            for name, value in (("port", arms.folder / port),
                                ("id", "follower" if device == "robot" else "leader"),
                                ("calibration_dir", arms.folder))]
    def follows(command: subprocess.Popen[str]) -> bool:
        at = arms.at()
        arms.until(lambda: abs(arms.at() - at) > SWAY_STEPS / 4 or command.poll() is not None,
                   "the arm that follows")
        return command.poll() is None

    for _ in range(TRIES):
        command = subprocess.Popen(
            [sys.executable, "-m", "studio.cli", "record", "--robot", "so101_follower", "--teleop",
             "so101_leader", *told, "--cameras", f"{{front: {{type: realsense, file: {bag}}}}}",
             "--task", "wave", "--headless", "--to", str(store)], cwd=ROOT, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1"})
        try:
            if follows(command):
                yield command
                return
        finally:
            if command.poll() is None:
                command.kill()
            said = command.communicate()[0] if command.stdout and not command.stdout.closed \
                else ""
        assert "killed by SIGABRT" in said and "realsense.py" in said, said
    raise AssertionError("librealsense broke its heap again and again")


def station_of(command: subprocess.Popen[str]) -> psutil.Process:
    """The process of its station; others may end while they are looked through."""
    for child in psutil.Process(command.pid).children(recursive=True):
        with suppress(psutil.Error):
            if child.cmdline()[-2:] == ["station", "station"]:
                return child
    raise AssertionError("the command has no station")


def recorded_s(store: Path, before: int = 0) -> float:
    """How long the newest open episode is on the disk; so many of before lie there."""
    with DemoStore.open(store) as opened:
        found = sorted(opened.interrupted(), key=lambda one: one.started_wall_ns)
    return found[-1].duration_s if len(found) > before else 0.0


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("so101")
    bag, store, arms = record_bag(folder / "camera.bag"), folder / "store", Arms(folder)
    try:
        arms.leader.call("sway", 1, SWAY_STEPS, SWAY_S)
        with recording(arms, bag, store) as command:
            arms.until(lambda: recorded_s(store) > LIVES_S, "some seconds of an episode")
            on_disk_s = recorded_s(store)
            station_of(command).kill()
            killed_ns = CLOCK.now_ns()      # however late this is read: nobody tells more by then
            said, _ = command.communicate(timeout=PATIENCE_S)
            stood = arms.at()
            goal, torque = arms.follower.call("goal", 1), arms.follower.call("torque", 1)
            before = [goal for at_s, servo, goal in arms.follower.call("told")
                      if servo == 1 and at_s * NS_PER_S < killed_ns][-1]
        with recording(arms, bag, store) as command:
            arms.until(lambda: recorded_s(store, 1) > LIVES_S, "some seconds of another")
            command.send_signal(signal.SIGINT)
            said_then, _ = command.communicate(timeout=PATIENCE_S)
        assert cli.main(["data", "recover", str(store), "--json"]) == 0
        with DemoStore.open(store) as opened:
            summaries = tuple(sorted(opened.episodes(), key=lambda one: one.started_wall_ns))
        yield Kept(on_disk_s, before, goal, stood, torque, said, said_then, store, summaries)
    finally:
        arms.close()


def episode(kept: Kept, number: int) -> EpisodeReader:
    with DemoStore.open(kept.store) as store:
        return EpisodeReader(store.episode_path(kept.summaries[number].episode))


def test_an_arm_whose_station_is_killed_stands_with_its_torque_on_where_it_was_told_last(kept):
    assert kept.torque
    assert kept.stood == pytest.approx(kept.goal, abs=3)
    assert abs(kept.stood - kept.before) < 0.3 * RAD    # 100 ms of silence, then it brakes
    assert "station" in kept.said


def test_what_was_recorded_before_the_kill_is_told_of_by_the_next_recording_and_recovered(kept):
    first, second = kept.summaries
    assert "1 interrupted episodes wait" in kept.said_then and "data recover" in kept.said_then
    assert (first.recovered, second.recovered) == (True, False)
    ticks = episode(kept, 0)["tick"]
    assert first.duration_s >= kept.on_disk_s       # nothing that was on the disk is lost
    assert (np.diff(ticks["t_mono_ns"]) > 0).all() and len(ticks["t_mono_ns"]) > LIVES_S * 50
    with DemoStore.open(kept.store, write=True) as store:       # nobody holds it
        assert store.check() == [] and store.interrupted() == []


@pytest.mark.parametrize("number", [0, 1], ids=["recovered", "ended by Ctrl-C"])
def test_a_realsense_cameras_stamps_numbers_drops_and_scale_are_in_the_store(kept, number):
    front = episode(kept, number)["front"]
    seq, device_ns, arrived_ns = (np.array(front[name]).astype(np.int64) for name in (
        "seq", "t_device_ns", "t_mono_ns"))
    taken_ns = np.array(front[TAKEN]).astype(np.int64)
    assert (np.diff(seq) >= 1).all() and (np.diff(arrived_ns) > 0).all()
    assert (np.diff(taken_ns) > 0).all() and (taken_ns <= arrived_ns).all()
    lost = np.flatnonzero(np.diff(device_ns) < 0) + 1       # plugged in again: its clock began anew
    assert len(lost) >= 1
    numbers = np.round((device_ns / 1e6 - DEVICE_0_MS) * FPS / 1000).astype(int)
    for life in np.split(np.arange(len(seq)), lost):
        np.testing.assert_array_equal(np.diff(seq[life]), np.diff(numbers[life]))
    assert not set(numbers.tolist()) & set(DROPPED)
    silent_s = (arrived_ns[lost] - arrived_ns[lost - 1]) / NS_PER_S
    np.testing.assert_allclose(seq[lost] - seq[lost - 1], silent_s * FPS, atol=1.01)
    assert kept.summaries[number].dropped >= int((np.diff(seq) - 1).sum())
    assert {DOMAINS[domain] for domain in np.unique(front["clock_domain"])} == {"hardware_clock"}
    np.testing.assert_allclose(front["intrinsics"][0], [80, 80, 48, 32])
    np.testing.assert_allclose(front["depth_scale"], SCALE_M)
    assert {field.name: field.unit for field in front.spec.images}["depth"] == f"{SCALE_M:g} m"
