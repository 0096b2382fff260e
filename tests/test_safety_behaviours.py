"""Safety behaviours S1…S14 of docs/safety.md, under the manual clock on the real simulator."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from recorders.clock import NS_PER_S, ManualClock
from recorders.streams import Batch
from studio.devices.interfaces import DeviceStatus, HumanInput, RobotDriver, idle_input
from studio.sim.robot import SimRobot
from studio.station.loop.control_loop import ControlLoop, TickRecord
from studio.station.loop.ownership import Event
from studio.station.loop.safety import SafetyLimits
from studio.station.messages import Guard, Mode, Owner

LIMITS = SafetyLimits()
ROUNDING = 1 + 1e-6
thorough = settings(max_examples=12, deadline=None,
                    phases=(Phase.explicit, Phase.reuse, Phase.generate),    # no shrinking
                    suppress_health_check=[HealthCheck.function_scoped_fixture])


class Hand:
    """A teleoperator whose next reading the test decides."""

    name = "hand"
    is_connected = True

    def __init__(self, clock: ManualClock) -> None:
        self.action_features: dict[str, type] = {}
        self.feedback_features: dict[str, type] = {}
        self._clock, self._held = clock, idle_input(0)
        self.frozen = False

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def get_action(self) -> dict[str, float]:
        return {}

    def send_feedback(self, feedback: Any) -> None: ...

    def read(self) -> HumanInput:
        if not self.frozen:
            self._held = self._now(self._held)
        return self._held

    def push(self, twist: Any = (0, 0, 0, 0, 0, 0), *, gripper: float | None = None,
             enabled: bool = True, status: DeviceStatus = DeviceStatus.OK,
             joints: np.ndarray | None = None) -> None:
        self._held = HumanInput(self._clock.now_ns(), status, np.zeros(8), 0, enabled,
                                np.asarray(twist, dtype=float), gripper, joints)

    def _now(self, held: HumanInput) -> HumanInput:
        return HumanInput(self._clock.now_ns(), held.status, held.raw, held.buttons, held.enabled,
                          held.twist, held.gripper, held.joints)


class Meddled:
    """The simulated robot with what it reports, or does, bent by the test."""

    def __init__(self, robot: SimRobot) -> None:
        self._robot, self.info = robot, robot.info
        self.mute, self.fault, self.commands = False, "", []
        self.frozen_position: np.ndarray | None = None
        self.wrench: np.ndarray | None = None

    def connect(self) -> None:
        self._robot.connect()

    def disconnect(self) -> None:
        self._robot.disconnect()

    def hold(self) -> None:
        self._robot.hold()

    def reset(self, task: str, seed: int) -> str:
        return self._robot.reset(task, seed)

    def send(self, target: np.ndarray) -> None:
        assert np.all(np.isfinite(target)) and target.shape == (len(self.info.joint_names),)
        self.commands.append(target.copy())
        self._robot.send(target)

    def poll(self) -> list[Batch]:
        batches = self._robot.poll()
        if self.mute:
            return []
        for batch in batches:
            if batch.stream == "arm" and self.frozen_position is not None:
                batch.rows["position"] = self.frozen_position
            if batch.stream == "contact" and self.wrench is not None:
                batch.rows["wrench"] = self.wrench
        return batches


class Desk:
    """A control loop on the simulated arm, turned by hand."""

    def __init__(self, rate_hz: float = 100.0) -> None:
        self.clock, self.rate_hz = ManualClock(NS_PER_S), rate_hz
        self.robot = Meddled(SimRobot(self.clock, render=False))
        self.robot.connect()
        self.robot.reset("put-cube-in-bin", 0)
        self.hand = Hand(self.clock)
        driver: RobotDriver = self.robot
        self.loop = ControlLoop(clock=self.clock, robot=driver, teleop=self.hand, limits=LIMITS,
                                rate_hz=rate_hz)

    def ticks(self, count: int) -> list[TickRecord]:
        period_ns = round(NS_PER_S / self.rate_hz)
        records = []
        for _ in range(count):
            self.clock.advance(period_ns)
            records.append(self.loop.tick())
        return records

    def armed(self) -> "Desk":
        self.ticks(5)
        assert self.loop.arm() == ""
        self.ticks(1)
        return self

    def moving(self, twist: Any = (0.2, 0.1, 0.05, 0, 0, 0.3), ticks: int = 30) -> "Desk":
        self.hand.push(twist)
        self.ticks(ticks)
        assert self.loop.ownership.mode is Mode.HUMAN
        return self

    @property
    def speed(self) -> float:
        return float(np.abs(self.loop.limiter.velocity).max())


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.robot.disconnect()


def column(ticks: list[TickRecord], name: str) -> np.ndarray:
    return np.array([tick.row[name][0] for tick in ticks])


def standstill_ticks(desk: Desk) -> int:
    """v/a + a/j, and one tick for the stop to be seen."""
    info = desk.robot.info
    longest = max(abs(v) / a + 2 * a / j for v, a, j in zip(
        desk.loop.limiter.velocity, info.max_acceleration, info.max_jerk, strict=True))
    return int(np.ceil(longest * desk.rate_hz)) + 2


@thorough
@given(ticks=st.integers(1, 60), vx=st.floats(-0.3, 0.3), vz=st.floats(-0.1, 0.3))
def test_s1_stop_brakes_at_once_stays_latched_and_needs_an_explicit_rearm(ticks, vx, vz):
    desk = Desk().armed().moving((vx, 0.2, vz, 0, 0, 0.5), ticks)
    bound = standstill_ticks(desk)
    desk.loop.ownership.on(Event.STOP, "test")
    stopping = desk.ticks(bound)
    assert stopping[0].row["mode"][0] == Mode.STOP
    assert stopping[0].row["guards"][0] & Guard.STOPPED
    assert desk.loop.limiter.standing
    still = column(desk.ticks(50), "sent")
    assert np.all(still == still[0])                            # the hand still pushes
    assert "re-arm" in desk.loop.arm()
    assert desk.loop.ownership.on(Event.REARM)
    desk.loop.forget_posture()
    assert desk.loop.ownership.mode is Mode.IDLE
    desk.ticks(3)
    assert desk.loop.arm() == ""
    desk.robot.disconnect()


@pytest.mark.parametrize("mode", list(Mode))
def test_s1_stop_is_reachable_from_every_mode(desk, mode):
    desk.loop.ownership.mode = mode
    assert desk.loop.ownership.on(Event.STOP, "test")
    assert desk.loop.ownership.mode is Mode.STOP


def test_s2_a_silent_producer_brakes_within_100_ms_and_a_tick(desk):
    desk.armed().moving()
    desk.hand.frozen = True
    ticks = desk.ticks(12)
    timed_out = [bool(flags & Guard.COMMAND_TIMEOUT) for flags in column(ticks, "guards")]
    assert timed_out.index(True) == 10                          # 100 ms, then the next tick
    assert desk.loop.ownership.mode is Mode.ARMED
    desk.ticks(standstill_ticks(desk))
    assert desk.loop.limiter.standing


def test_s3_an_open_clutch_holds_and_closing_it_again_does_not_jump(desk):
    desk.armed().moving()
    desk.hand.push((0.2, 0, 0, 0, 0, 0), enabled=False)
    desk.ticks(standstill_ticks(desk))
    held = desk.loop.limiter.position.copy()
    desk.ticks(30)
    assert np.all(desk.loop.limiter.position == held)
    desk.hand.push((0, 0, 0, 0, 0, 0))
    desk.ticks(20)
    assert np.abs(desk.loop.limiter.position - held).max() < 2e-3


def test_s3_a_closed_clutch_without_arming_moves_nothing(desk):
    desk.hand.push((0.3, 0, 0, 0, 0, 0))
    desk.ticks(30)
    assert desk.loop.ownership.mode is Mode.IDLE
    assert desk.robot.commands == []


@pytest.mark.parametrize("status", [DeviceStatus.LOST, DeviceStatus.STALE])
def test_s4_a_lost_device_is_flagged_and_the_arm_comes_to_rest(desk, status):
    desk.armed().moving()
    desk.hand.push((0.3, 0, 0, 0, 0, 0), status=status)
    first = desk.ticks(1)[0]
    assert first.row["guards"][0] & Guard.DEVICE_LOST
    assert np.all(first.row["human_twist"] == 0)
    desk.ticks(standstill_ticks(desk))
    assert desk.loop.limiter.standing


def wild(rng: np.random.Generator, desk: Desk) -> None:
    """Anything a broken device or policy might say."""
    kind = rng.integers(7)
    if kind == 0:
        desk.hand.push(rng.uniform(-50, 50, 6), gripper=float(rng.uniform(-3, 3)))
    elif kind == 1:
        desk.hand.push(np.full(6, [np.nan, np.inf][rng.integers(2)]))
    elif kind == 2:
        desk.hand.push(joints=rng.uniform(-9, 9, 8))
    elif kind == 3:
        desk.hand.push(joints=np.full(8, np.nan))
    elif kind == 4:
        desk.hand.push(enabled=False)
    elif kind == 5:
        desk.hand.push(joints=rng.uniform(-1, 1, 5))            # the wrong shape
    else:
        desk.hand.push(rng.uniform(-0.3, 0.3, 6), gripper=float(rng.integers(2)))


@thorough
@given(seed=st.integers(0, 2**31))
def test_s5_s8_whatever_is_asked_velocity_acceleration_and_jerk_stay_bounded(seed):
    desk, rng = Desk().armed(), np.random.default_rng(seed)
    ticks = []
    for _ in range(60):
        wild(rng, desk)
        ticks += desk.ticks(int(rng.integers(1, 8)))
        if desk.loop.ownership.mode in (Mode.STOP, Mode.HOLD):
            desk.loop.ownership.on(Event.REARM)
            desk.loop.arm()
    info, dt = desk.robot.info, 1 / desk.rate_hz
    velocity = column(ticks, "sent_velocity")
    acceleration = np.diff(velocity, axis=0) / dt
    jerk = np.diff(acceleration, axis=0) / dt
    assert np.all(np.abs(velocity) <= np.array(info.max_velocity) * ROUNDING)
    assert np.all(np.abs(acceleration) <= np.array(info.max_acceleration) * ROUNDING)
    assert np.all(np.abs(jerk) <= np.array(info.max_jerk) * 1.01)
    moved = np.diff(column(ticks, "sent"), axis=0) / dt
    assert np.all(np.abs(moved) <= np.array(info.max_velocity) * ROUNDING)
    desk.robot.disconnect()


@thorough
@given(seed=st.integers(0, 2**31))
def test_s6_joints_workspace_and_tool_speed_stay_inside_their_limits(seed):
    desk, rng = Desk().armed(), np.random.default_rng(seed)
    kinematics, info = desk.loop.limiter._kinematics, desk.robot.info
    low, high = np.array(LIMITS.workspace_low), np.array(LIMITS.workspace_high)
    for _ in range(40):
        wild(rng, desk)
        for tick in desk.ticks(6):
            sent, velocity = tick.row["sent"][0], tick.row["sent_velocity"][0]
            tool = kinematics.forward(sent)[:3]
            assert np.all(sent >= np.array(info.lower) - 1e-9)
            assert np.all(sent <= np.array(info.upper) + 1e-9)
            assert np.all(tool > low - 0.02) and np.all(tool < high + 0.02)
            assert kinematics.tool_speed(sent, velocity) < 1.4 * LIMITS.tool_speed_m_s
        if desk.loop.ownership.mode in (Mode.STOP, Mode.HOLD):
            desk.loop.ownership.on(Event.REARM)
            desk.loop.arm()
    desk.robot.disconnect()


@pytest.mark.parametrize("rate_hz", [30.0, 100.0, 250.0])
def test_s7_the_same_push_moves_the_tool_equally_fast_at_any_rate(rate_hz):
    desk = Desk(rate_hz).armed()
    desk.hand.push((0.0, 0.15, 0.0, 0, 0, 0))
    desk.ticks(int(0.5 * rate_hz))
    before = desk.loop.limiter._kinematics.forward(desk.loop.limiter.position)
    desk.ticks(int(0.5 * rate_hz))
    after = desk.loop.limiter._kinematics.forward(desk.loop.limiter.position)
    assert (after - before)[1] / 0.5 == pytest.approx(0.15, rel=0.08)
    desk.robot.disconnect()


@pytest.mark.parametrize("bad", [np.full(6, np.nan), np.full(6, np.inf)])
def test_s8_a_twist_that_is_no_number_is_rejected_and_flagged(desk, bad):
    desk.armed().moving()
    desk.hand.push(bad)
    assert desk.ticks(1)[0].row["guards"][0] & Guard.REJECTED
    desk.ticks(standstill_ticks(desk))
    assert desk.loop.limiter.standing


def test_s9_a_hard_contact_stops_the_arm_and_backs_it_off(desk):
    desk.armed().moving((0.15, 0, 0, 0, 0, 0), ticks=60)
    kinematics = desk.loop.limiter._kinematics
    at_contact = kinematics.forward(desk.loop.limiter.position)[0]
    desk.robot.wrench = np.array([LIMITS.force_n * 1.2, 0, 0, 0, 0, 0])
    ticks = desk.ticks(60)
    assert all(flags & Guard.FORCE_LIMIT for flags in column(ticks, "guards")[1:])
    assert np.all(column(ticks, "owner")[1:] == Owner.SAFETY)
    assert kinematics.forward(desk.loop.limiter.position)[0] < at_contact
    desk.robot.wrench = np.zeros(6)
    assert not desk.ticks(2)[-1].row["guards"][0] & Guard.FORCE_LIMIT


def test_s9_a_contact_that_does_not_ease_is_left_to_a_person_who_may_then_move_free(desk):
    desk.armed().moving((0.1, 0, 0, 0, 0, 0), ticks=60)
    desk.robot.wrench = np.array([0, 0, LIMITS.force_n * 1.5, 0, 0, 0])
    desk.ticks(60 + 100 + 10)               # all the way back, then a second at its end
    assert desk.loop.ownership.mode is Mode.HOLD
    assert "move it free" in desk.loop.ownership.reason
    assert desk.loop.arm() == ""
    before = desk.loop.limiter.position.copy()
    ticks = desk.ticks(30)
    assert all(flags & Guard.FORCE_LIMIT for flags in column(ticks, "guards"))
    assert np.abs(desk.loop.limiter.position - before).max() > 0.01     # the hand moves it
    desk.robot.wrench = np.zeros(6)
    desk.ticks(2)
    desk.robot.wrench = np.array([0, 0, LIMITS.force_n * 1.5, 0, 0, 0])
    assert desk.ticks(2)[-1].row["owner"][0][0] == Owner.SAFETY         # on guard again


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1, 1])
def test_from_rest_no_twist_moves_the_tool_backwards_first(desk, axis, sign):
    desk.armed()
    twist = np.zeros(6)
    twist[axis] = 0.25 * sign
    desk.hand.push(twist)
    kinematics = desk.loop.limiter._kinematics
    start = kinematics.forward(desk.loop.limiter.position)[:3]
    path = np.array([kinematics.forward(tick.row["sent"][0])[:3] for tick in desk.ticks(40)])
    along = (path - start)[:, axis] * sign
    aside = np.delete(path - start, axis, axis=1)
    assert along.min() > -5e-4 and along[-1] > 0.05       # m; with a run-up it was -0.010
    assert np.abs(aside).max() < 6e-3


def test_s10_the_arm_brakes_on_a_stale_observation_and_holds_after_half_a_second(desk):
    desk.armed().moving()
    desk.robot.mute = True
    ticks = desk.ticks(30)
    stale = [bool(flags & Guard.STALE_OBSERVATION) for flags in column(ticks, "guards")]
    assert stale.index(True) <= 11
    assert desk.loop.limiter.standing and desk.loop.ownership.mode is Mode.HUMAN
    desk.ticks(30)
    assert desk.loop.ownership.mode is Mode.HOLD
    assert "check its cable" in desk.loop.ownership.reason


def test_s11_a_robot_fault_ends_all_commands_and_keeps_its_reason(desk):
    desk.armed().moving()
    desk.robot.fault = "motor 3 does not answer: check its cable"
    desk.ticks(1)
    sent = len(desk.robot.commands)
    desk.ticks(20)
    assert desk.loop.ownership.mode is Mode.FAULT
    assert desk.loop.ownership.reason == desk.robot.fault
    assert len(desk.robot.commands) == sent


def test_s13_an_arm_that_does_not_follow_is_stopped(desk):
    desk.armed()
    desk.robot.frozen_position = np.array(desk.loop.latest["arm"]["position"])
    desk.hand.push((0.25, 0.25, 0.1, 0, 0, 0))
    desk.ticks(300)
    assert desk.loop.ownership.mode is Mode.STOP
    assert "from its command" in desk.loop.ownership.reason


def test_s14_the_first_command_is_the_measured_posture(desk):
    desk.armed()
    measured = desk.robot.commands[0] - np.array(desk.loop.latest["arm"]["position"])
    assert np.abs(measured).max() < 1e-3


def test_s14_a_leader_far_away_is_met_without_a_jump(desk):
    desk.armed()
    here = desk.loop.limiter.position.copy()
    desk.hand.push(joints=here + np.array([0.5, -0.3, 0.2, 0.3, 0, 0, 0, 0]))
    first = desk.ticks(1)[0].row["sent"][0]
    assert np.abs(first - here).max() < 0.005
    desk.ticks(300)
    assert np.abs(desk.loop.limiter.position[:-1] - here[:-1]).max() > 0.25


def test_a_push_is_a_human_owned_command_in_the_same_tick(desk):
    desk.armed()
    desk.hand.push((0.2, 0, 0, 0, 0, 0))
    first, second = desk.ticks(2)
    assert np.all(first.row["owner"] == Owner.HUMAN)
    assert np.any(second.row["sent"] != first.row["sent"])


def test_every_tick_yields_a_row_in_every_mode(desk):
    rows = [tick.row["seq"][0] for tick in desk.ticks(3)]
    desk.loop.arm()
    rows += [tick.row["seq"][0] for tick in desk.ticks(3)]
    for event in (Event.PAUSE, Event.STOP):
        desk.loop.ownership.on(event, "test")
        rows += [tick.row["seq"][0] for tick in desk.ticks(3)]
    assert rows == list(range(len(rows)))
