"""The robot's process: samples and targets pass, and a station that falls silent is outlived.

Real sockets and the real simulated arm; time is turned by hand.
"""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.clock import NS_PER_S, ManualClock
from recorders.streams import Batch
from studio.devices.interfaces import DeviceError, Resettable, Rewindable, RobotDriver
from studio.sim.robot import SimRobot
from studio.station.processes.bus import Endpoints, LatestPublisher, open_context, private_endpoints
from studio.station.processes.remote_robot import RemoteRobot, RemoteSimulator, open_remote_robot
from studio.station.processes.robot_host import MARGIN, RobotHost
from studio.station.processes.robot_link import TARGET, Target
from studio.station.processes.wire import pack

pytestmark = pytest.mark.alone

MS = NS_PER_S // 1000
PATIENCE_MS = 20_000


class Bench:
    """A host and a station's end of the links, in one process and one manual time."""

    def __init__(self, driver: RobotDriver, clock: ManualClock, context: zmq.Context,
                 links: Endpoints) -> None:
        self.clock, self.driver = clock, driver
        driver.connect()
        self.host = RobotHost(driver, context, links, clock)
        opened: list[RemoteRobot] = []
        thread = threading.Thread(
            target=lambda: opened.append(open_remote_robot(context, links, clock)))
        thread.start()
        while thread.is_alive():
            self.host.step()
            thread.join(0.01)
        (self.robot,) = opened
        self.samples: list[Batch] = []
        until_heard(self)

    def turn(self, target: np.ndarray | None = None) -> None:
        """Ten milliseconds, in which the station says a target or nothing."""
        self.clock.advance(10 * MS)
        if target is not None:
            self.robot.send(target)
            self.host.wait(PATIENCE_MS)
        self.host.step()
        self.samples += self.robot.poll()

    def drive(self, ticks: int = 30) -> None:
        """Swing the first joint at 0.8 rad/s, as a station would."""
        target = self.position.copy()
        for _ in range(ticks):
            target[0] += 0.008
            self.turn(target)
        assert self.speed > 0.3

    def run_away(self, gripper: float = 1.0, by_rad: float = 1.5) -> None:
        """One target that takes the arm long to reach, then nothing, until the host takes over."""
        here = self.position.copy()
        self.turn(here)
        far = here.copy()
        far[0] += by_rad
        far[-1] = gripper
        self.turn(far)
        assert self.host._commanded is not None
        assert self.host._commanded[0] == far[0]
        for _ in range(12):
            self.turn()
        assert self.host.held

    @property
    def position(self) -> np.ndarray:
        return self.truth["position"]

    @property
    def speed(self) -> float:
        return float(np.max(np.abs(self.truth["velocity"][:-1])))

    @property
    def truth(self) -> np.void:
        """The newest row that the arm itself has produced."""
        assert self.host._arm is not None
        return self.host._arm

    def close(self) -> None:
        self.robot.disconnect()
        self.host.close()
        self.driver.disconnect()


def until_heard(bench: Bench) -> None:
    """The links connect in real time: speak until both sides have heard each other."""
    home = np.array(bench.driver.info.home)
    while bench.host._commanded is None or not bench.samples:
        bench.robot.send(home)
        bench.host._targets.wait(10)
        bench.clock.advance(10 * MS)
        bench.host.step()
        bench.samples += bench.robot.poll()
    while bench.host._targets.wait(20):
        bench.host.step()


@pytest.fixture(scope="module")
def simulator() -> SimRobot:
    """One simulated arm for all tests of this file: compiling its scene is the dear part."""
    return SimRobot(ManualClock(), render=False)


@pytest.fixture
def bench(simulator: SimRobot) -> Iterator[Bench]:
    clock = simulator._clock
    assert isinstance(clock, ManualClock)
    simulator.world.reset("push-button", 0)
    with private_endpoints() as links, open_context() as context:
        bench = Bench(simulator, clock, context, links)
        yield bench
        bench.close()


def test_the_arm_follows_targets_and_its_samples_come_back_complete(bench: Bench) -> None:
    bench.drive(60)
    while bench.robot._receiver.wait(50):
        bench.samples += bench.robot.poll()
    for stream in ("arm", "contact", "sim"):
        seqs = np.concatenate([b.rows["seq"] for b in bench.samples if b.stream == stream])
        assert np.array_equal(seqs, np.arange(seqs[0], seqs[0] + len(seqs)))
    arm = [b.rows[-1] for b in bench.samples if b.stream == "arm"]
    assert arm[-1]["position"][0] - arm[0]["position"][0] > 0.3
    assert bench.robot.fault == ""


def test_the_info_of_the_robot_arrives_as_it_was_declared(bench: Bench) -> None:
    assert bench.robot.info == bench.driver.info


def test_a_moving_arm_stands_soon_after_its_station_falls_silent_and_stays(bench: Bench) -> None:
    bench.drive()
    for _ in range(20):
        bench.turn()
    stopped = bench.position.copy()
    for _ in range(100):
        bench.turn()
        assert bench.speed < 0.01
    assert np.allclose(bench.position, stopped, atol=1e-3)


def test_an_arm_that_runs_on_without_its_station_is_braked_and_not_jerked(bench: Bench) -> None:
    before = bench.position[0]
    bench.run_away(by_rad=0.5)  # S2: for 100 ms and one turn the arm believes its last target
    stop = bench.host._commanded
    assert stop is not None
    assert stop[0] not in (before + 0.5, bench.position[0])
    braking_rad = 2.0**2 / (2 * 12.0)   # from the robot's highest speed
    assert abs(stop[0] - bench.position[0]) < braking_rad + 0.05
    for _ in range(80):
        bench.turn()
    for _ in range(50):
        bench.turn()
        assert bench.speed < 0.01
    while not bench.robot.held:
        bench.robot._receiver.wait(PATIENCE_MS)
        bench.robot.poll()


def test_an_arm_that_stands_is_left_alone_by_silence(bench: Bench) -> None:
    home = bench.position.copy()
    for _ in range(50):
        bench.turn(home)
    for _ in range(50):
        bench.turn()
    assert not bench.host.held
    assert np.allclose(bench.position, home, atol=2e-3)


def test_the_gripper_keeps_its_grip_when_the_arm_is_held(bench: Bench) -> None:
    bench.run_away(gripper=0.25)
    for _ in range(80):
        bench.turn()
    assert isinstance(bench.driver, SimRobot)
    assert bench.driver.world.goal[-1] == 0.25
    assert bench.host._commanded is not None
    assert np.array_equal(bench.driver.world.goal, bench.host._commanded)


def test_a_held_arm_goes_on_from_where_it_stands(bench: Bench) -> None:
    bench.run_away()
    for _ in range(80):
        bench.turn()
    target = bench.position.copy()
    for _ in range(20):
        target[0] -= 0.008
        bench.turn(target)
    assert not bench.host.held
    assert bench.speed > 0.3


def test_a_held_arm_does_not_jump_to_where_the_station_believes_it_is(bench: Bench) -> None:
    bench.drive()
    for _ in range(50):
        bench.turn()
    stood = bench.position.copy()
    elsewhere = stood.copy()
    elsewhere[0] += 0.7
    bench.turn(elsewhere)
    while not bench.robot.fault:
        bench.robot._receiver.wait(PATIENCE_MS)
        bench.robot.poll()
    assert "does not jump" in bench.robot.fault
    for _ in range(30):     # the station, warned, says nothing more
        bench.turn()
    assert np.allclose(bench.position, stood, atol=1e-3)
    assert bench.host._complaint_ns + NS_PER_S // 5 < bench.clock.now_ns()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.floats(), st.sampled_from((np.nan, np.inf, 1e300))), max_size=10))
def test_no_target_is_passed_on_that_is_not_finite_or_far_outside_the_limits(
        simulator: SimRobot, wild: list[float]) -> None:
    clock = ManualClock()
    with private_endpoints() as links, open_context() as context:
        host = RobotHost(simulator, context, links, clock)
        refusal = host._refusal(np.array(wild))
        info = simulator.info
        valid = len(wild) == len(info.lower) and all(
            low - MARGIN <= value <= high + MARGIN
            for low, value, high in zip(info.lower, wild, info.upper, strict=False))
        if valid:       # then only its distance from the arm, which has not spoken yet, counts
            assert "has not said where it is" in refusal
        else:
            assert "finite numbers" in refusal or "limits" in refusal
        host.close()


def test_a_wild_target_leaves_the_arm_where_it_was_told_to_be_before(bench: Bench) -> None:
    home = bench.position.copy()
    bench.turn(home)
    for wild in (np.full(8, np.nan), np.zeros(3), home + 100.0):
        bench.turn(wild)
        assert "re-arm" in bench.host._complaint
    assert isinstance(bench.driver, SimRobot)
    assert np.allclose(bench.driver.world.goal, home)


def test_a_target_just_past_a_limit_is_brought_back_to_it(bench: Bench) -> None:
    past = bench.position.copy()
    past[-1] = 1.0 + MARGIN / 2
    bench.turn(past)
    assert isinstance(bench.driver, SimRobot)
    assert bench.host._commanded is not None
    assert bench.host._commanded[-1] == bench.driver.world.goal[-1] == 1.0


def test_a_target_that_waited_too_long_is_not_obeyed(simulator: SimRobot) -> None:
    clock = simulator._clock
    assert isinstance(clock, ManualClock)
    with private_endpoints() as links, open_context() as context:
        simulator.connect()
        host = RobotHost(simulator, context, links, clock)
        station = LatestPublisher(context, links.target)
        before = simulator.world.goal.copy()
        old = Target(clock.now_ns() - 101 * MS, tuple((before * 0.9).tolist()))
        while not host._targets.wait(10):
            station.publish(TARGET, [pack(old)])
        host.step()
        assert np.array_equal(simulator.world.goal, before)
        simulator.disconnect()
        station.close()
        host.close()


def test_a_scene_is_reset_from_afar_and_samples_from_before_are_forgotten(bench: Bench) -> None:
    assert isinstance(bench.robot, RemoteSimulator)
    assert isinstance(bench.robot, Resettable)
    for _ in range(20):
        bench.turn()        # samples that nobody has read yet may wait in the link
        bench.samples.clear()
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(bench.robot.reset("push-button", 7)))  # type: ignore[attr-defined]
    thread.start()
    while thread.is_alive():
        bench.host.step()
        thread.join(0.01)
    reset_ns = bench.clock.now_ns()
    assert isinstance(bench.driver, SimRobot)
    run = bench.driver.world.run
    assert run is not None and said == [run.instruction] and said[0]
    bench.samples.clear()
    while not bench.samples:
        bench.turn()
    assert all(b.rows["t_mono_ns"][0] >= reset_ns for b in bench.samples)


def test_a_simulator_is_taken_back_from_afar_and_goes_on_from_there(bench: Bench) -> None:
    assert isinstance(bench.robot, Rewindable) and isinstance(bench.driver, SimRobot)
    bench.drive(40)
    then_ns, there = bench.clock.now_ns(), bench.position.copy()
    bench.drive(40)
    assert bench.position[0] - there[0] > 0.2
    found: list[int] = []
    robot = bench.robot
    thread = threading.Thread(target=lambda: found.append(robot.rewind(then_ns)))
    thread.start()
    while thread.is_alive():
        bench.host.step()
        thread.join(0.01)
    (moment_ns,) = found
    assert then_ns - NS_PER_S // 20 <= moment_ns <= then_ns
    assert abs(bench.driver.world.position[0] - there[0]) < 0.06       # in 50 ms at 0.8 rad/s
    back = bench.driver.world.goal.copy()
    for _ in range(40):
        bench.turn(back)
    assert abs(bench.position[0] - back[0]) < 0.01 and not bench.host.held


def test_a_moment_that_is_not_kept_is_refused_from_afar(bench: Bench) -> None:
    refused: list[str] = []

    def ask() -> None:
        try:
            bench.robot.rewind(0)       # type: ignore[attr-defined]
        except DeviceError as error:
            refused.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    while thread.is_alive():
        bench.host.step()
        thread.join(0.01)
    assert "does not remember" in refused[0]


def test_an_unknown_task_is_refused_with_the_simulators_own_words(bench: Bench) -> None:
    refused: list[str] = []

    def ask() -> None:
        assert isinstance(bench.robot, RemoteSimulator)
        try:
            bench.robot.reset("juggle", 0)
        except DeviceError as error:
            refused.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    while thread.is_alive():
        bench.host.step()
        thread.join(0.01)
    assert "juggle" in refused[0] and "push-button" in refused[0]


class PlainArm:
    """The simulated arm without its `reset`, as a real one would be."""

    def __init__(self, robot: SimRobot) -> None:
        self.info = robot.info
        self.connect, self.disconnect = robot.connect, robot.disconnect
        self.poll, self.send, self.hold = robot.poll, robot.send, robot.hold
        self.fault = "overheated: let it cool down"


def test_a_real_arm_offers_no_reset_and_its_own_fault_is_told(simulator: SimRobot) -> None:
    clock = simulator._clock
    assert isinstance(clock, ManualClock)
    with private_endpoints() as links, open_context() as context:
        bench = Bench(PlainArm(simulator), clock, context, links)
        assert not isinstance(bench.robot, Resettable)
        assert bench.robot.fault == "overheated: let it cool down"
        bench.close()


def test_a_dead_robot_process_is_a_fault_that_says_what_to_do(bench: Bench) -> None:
    assert bench.robot.fault == ""
    bench.clock.advance(600 * MS)
    assert "has said nothing for 0.6 s" in bench.robot.fault
    bench.host.step()
    while bench.robot.fault:
        bench.robot._receiver.wait(PATIENCE_MS)
        bench.robot.poll()


def test_a_station_without_a_robot_process_says_so() -> None:
    with (private_endpoints() as links, open_context() as context,
          pytest.raises(DeviceError, match="the robot's process did not answer")):
        open_remote_robot(context, links, ManualClock(), timeout_s=0.02)
