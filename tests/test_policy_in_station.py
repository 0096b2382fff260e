"""A policy at the station, on the real simulator under the manual clock, to success."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from doubles.rollout_desk import PICTURES as SMALL
from doubles.rollout_desk import RolloutDesk as Desk
from doubles.rule_policy import RulePolicy

from policy.data.signals import MissingSignal
from policy.driving.two_speeds import Delays, Pace
from policy.interfaces import PolicySpec
from recorders.clock import NS_PER_S, ManualClock, SystemClock
from studio.devices.absent import AbsentTeleoperator
from studio.devices.interfaces import DeviceError
from studio.sim.robot import SimRobot
from studio.station.commands import (
    Arm,
    Pause,
    ResetScene,
    SetInstruction,
    StartPolicy,
)
from studio.station.messages import Mode, Owner
from studio.station.recording.store_sink import StoreSink
from studio.station.serving.policy_feed import PolicyFeed, Shown
from studio.station.station import Station
from studio.station.trying.evaluation import ProvingGround
from studio.station.trying.trials import Edit, Trials

pytestmark = pytest.mark.gl
BIN = Trials(task="put-cube-in-bin", seeds=(), image_size=SMALL)


def trials(**changes) -> Trials:
    return msgspec.structs.replace(BIN, **changes)


@pytest.fixture
def policy() -> RulePolicy:
    return RulePolicy()


@pytest.fixture
def desk(policy) -> Iterator[Desk]:
    made = Desk(policy)
    yield made
    made.robot.disconnect()


# ---- driving -----------------------------------------------------------------------------------


def test_a_policy_drives_to_success_and_every_tick_says_that_it_did(desk, policy):
    desk.begin(5004)
    rows = desk.ticks(100)
    while desk.station.detected() != "success" and len(desk.rows) < 1500:
        rows += desk.ticks(20)
    assert desk.station.detected() == "success"
    assert all(row["mode"] == Mode.AUTO for row in rows)
    driven = [row for row in rows if np.isfinite(row["proposed_policy"]).all()]
    assert len(driven) > len(rows) - 10                 # until the first chunk is there
    assert all(set(row["owner"].tolist()) == {Owner.POLICY} for row in driven)
    assert all(set(row["owner"].tolist()) == {Owner.HOLD} for row in rows[:2])
    assert policy.seeds[-1] == 5004


def test_one_motion_takes_over_in_its_tick_and_the_policy_goes_on_as_a_shadow(desk):
    desk.begin()
    desk.ticks(60)
    epoch = desk.rows[-1]["epoch"]
    desk.hand.pushing = True
    first, *_, last = desk.ticks(60)
    assert first["mode"] == Mode.HUMAN and set(first["owner"][:-1].tolist()) == {Owner.HUMAN}
    assert last["epoch"] == epoch + 1
    assert last["sent_tool"][1] > first["sent_tool"][1] + 0.02
    shadow = [row for row in desk.rows[-60:] if np.isfinite(row["proposed_policy"]).all()]
    assert len(shadow) > 40 and not np.allclose(last["proposed_policy"], last["sent"], atol=1e-4)
    assert "let go" in desk.station.handle(StartPolicy()).reason
    desk.hand.pushing = False
    rows = desk.ticks(40)
    assert set(rows[-1]["owner"].tolist()) == {Owner.POLICY}


def test_the_command_stays_smooth_through_taking_over_and_handing_back(desk):
    desk.begin()
    for pushing in (False, True, False, True):
        desk.hand.pushing = pushing
        desk.ticks(30)
    velocity = np.array([row["sent_velocity"] for row in desk.rows])
    change = np.abs(np.diff(velocity, axis=0))[:, :7]
    assert change.max() <= desk.robot.info.max_acceleration[0] / 100 + 1e-6


def test_without_a_policy_nothing_can_be_started():
    desk = Desk(None)
    desk.do(ResetScene("push-button", 1))
    desk.ticks(5)
    desk.do(Arm())
    assert "no policy" in desk.station.handle(StartPolicy()).reason
    desk.robot.disconnect()


def test_a_pause_ends_the_policys_driving_until_it_is_started_again(desk):
    desk.begin()
    desk.ticks(60)
    desk.do(Pause())
    still = desk.ticks(60)[-1]
    assert np.allclose(still["sent_velocity"], 0, atol=1e-6)
    assert "arm first" in desk.station.handle(StartPolicy()).reason
    desk.do(Arm())
    desk.do(StartPolicy())
    assert np.abs(desk.ticks(40)[-1]["sent_velocity"]).max() > 0.01


def test_words_that_mean_nothing_hold_the_arm(desk, policy):
    desk.begin()
    desk.do(SetInstruction("sing a song"))
    rows = desk.ticks(120)
    assert np.allclose(rows[-1]["sent_velocity"], 0, atol=1e-6)
    assert policy.thought_of[-1].instruction == "sing a song"
    assert policy.acted_on[-1][0].instruction_id == 0


@pytest.mark.parametrize("flush", [True, False])
def test_a_hard_edit_stops_the_running_chunk_in_its_tick_and_a_soft_one_does_not(desk, flush):
    desk.begin()
    desk.ticks(60)
    desk.do(SetInstruction("put the green cube in the bin", flush=flush))
    assert np.isfinite(desk.ticks(1)[0]["proposed_policy"]).all() == (not flush)


# ---- what the policy is shown ------------------------------------------------------------------


def test_an_observation_is_of_its_pictures_moment(desk, policy):
    desk.begin()
    desk.ticks(50)
    seen = policy.acted_on[-1][0]
    assert seen.images["front"].shape == (24, 32, 3) and seen.images["front"].std() > 10
    row = next(row for row in reversed(desk.rows) if row["t_mono_ns"] <= seen.stamp_ns)
    assert np.allclose(seen.base[:7], row["sent_tool"]) and seen.base[7] == row["sent"][-1]
    before = [acted for acted, _ in policy.acted_on][-2]
    assert seen.stamp_ns - before.stamp_ns == pytest.approx(4 / 30 * NS_PER_S, abs=2_000_000)


def test_pictures_of_the_scene_before_a_reset_are_never_shown():
    desk, shown = Desk(None), list[Shown]()
    loop = desk.station.loop
    feed = PolicyFeed(RulePolicy().spec, (loop.spec, *desk.robot.info.streams), shown.append)
    loop.subscribers.append(feed)
    for seed in (1, 2, 3):
        reset_ns = desk.clock.now_ns()
        desk.do(ResetScene("push-button", seed))
        desk.ticks(13)
        mine = [one for one in shown if one.seed == seed]
        assert mine and all(one.observation.stamp_ns > reset_ns for one in mine)
    assert len({one.scene for one in shown}) == 3
    desk.robot.disconnect()


def test_a_cloud_is_made_of_the_first_cameras_depth():
    clock = ManualClock(NS_PER_S)
    robot = SimRobot(clock, image_size=SMALL, cameras=("front",))
    robot.connect()
    station = Station(clock=clock, robot=robot, teleop=AbsentTeleoperator(clock), sink=StoreSink())
    shown = list[Shown]()
    spec = PolicySpec(cameras={"front": "rgb"}, picture_size=SMALL, cloud_points=200)
    station.loop.subscribers.append(
        PolicyFeed(spec, (station.loop.spec, *robot.info.streams), shown.append))
    station.handle(ResetScene("put-cube-in-bin", 3))
    for _ in range(12):
        clock.advance(NS_PER_S // 100)
        station.loop.tick()
    robot.disconnect()
    cloud = shown[-1].observation.cloud
    assert cloud is not None and cloud.shape == (200, 6)
    assert np.ptp(cloud[:, :3], axis=0).min() > 0.01 and (cloud[:, 3:] <= 1).all()


@pytest.mark.parametrize(("changes", "problem"), [
    ({"cameras": {"ceiling": "rgb"}}, "ceiling/rgb"),
    ({"cameras": {"front": "rgb"}, "cloud_points": 9}, "front/depth")])
def test_a_robot_without_the_wanted_pictures_is_refused_by_name(changes, problem):
    robot = SimRobot(ManualClock(), render=True, cameras=("front",), depth=False)
    loop = Station(clock=ManualClock(), robot=robot, teleop=AbsentTeleoperator(ManualClock()),
                   sink=StoreSink()).loop
    with pytest.raises(DeviceError, match=problem):
        PolicyFeed(PolicySpec(**changes), (loop.spec, *robot.info.streams), lambda shown: None)


def test_a_robot_that_does_not_feel_what_is_wanted_is_refused_by_name():
    spec = PolicySpec(cameras={"front": "rgb"}, proprioception=("objects",))
    with pytest.raises((MissingSignal, ValueError), match="objects"):
        PolicyFeed(spec, (), lambda shown: None)


# ---- trials ------------------------------------------------------------------------------------


def test_a_trial_goes_alike_whatever_was_tried_before():
    states = []
    for seeds in ((5001,), (5000, 5001)):
        with ProvingGround(trials(max_s=1.2, seeds=seeds), RulePolicy(), SystemClock()) as ground:
            ground.run(lambda trial: None)
            states.append(ground._loop.latest["sim"]["state"].copy())
    assert np.array_equal(states[0], states[1])


@pytest.mark.parametrize(("pace", "succeeds"), [
    (Pace(edit="flush"), True), (Pace(edit="scheduled", think_every="once"), False)])
def test_an_edit_before_the_grasp_leads_to_the_other_cube_if_system_2_hears_of_it(pace, succeeds):
    edit = Edit(text="put the {other} cube in the bin", within_m=0.1)
    with ProvingGround(trials(edits=(edit,), pace=pace, max_s=12.0), RulePolicy(),
                       SystemClock()) as ground:
        trial = ground.trial(5002)
    assert len(trial.edited_s) == 1 and "red" in trial.instruction
    assert (trial.success_s is not None) == succeeds
    assert trial.said == (("carry red cube for bin", "carry green cube for bin") if succeeds
                          else ("carry red cube for bin",))


def test_words_that_are_taken_back_at_once_leave_the_first_goal_and_every_edit_says_when_it_acted():
    edits = (Edit(text="put the {other} cube in the bin", phase="carry"),
             Edit(text="put the {colour} cube in the bin", later=30))
    with ProvingGround(trials(edits=edits, max_s=15.0), RulePolicy(), SystemClock()) as ground:
        trial = ground.trial(5002)
    assert trial.said[0] == trial.said[-1] == "carry red cube for bin"
    first_s, second_s = trial.edited_s
    assert second_s - first_s == pytest.approx(0.3)
    assert len(trial.effect_ticks) == 2 and all(1 <= ticks <= 30 for ticks in trial.effect_ticks)


def test_modelled_delays_show_in_the_latency_and_the_arm_still_gets_there():
    slow = trials(delays=Delays(think_s=0.4, act_s=0.05), seeds=(5003,))
    with ProvingGround(slow, RulePolicy(), SystemClock()) as ground:
        trial = ground.trial(5003)
    assert trial.success_s is not None
    assert min(trial.latency_ms) >= 70 and min(trial.age_s) >= 0.3


def test_a_policy_that_is_told_otherwise_fails_by_the_tasks_own_goal():
    wrong = trials(instruction="put the {other} cube in the bin", keep_goal=True, max_s=7.0)
    with ProvingGround(wrong, RulePolicy(), SystemClock()) as ground:
        trial = ground.trial(5000)
    assert trial.success_s is None and trial.instruction == "put the green cube in the bin"


def test_the_asked_cube_drifts_until_the_hand_is_there():
    moving = trials(disturbance={"drift_m_s": 0.02}, max_s=0.8)
    with ProvingGround(moving, RulePolicy(), SystemClock()) as ground:
        ground.trial(5000)
        places_m = ground._loop.latest["sim"]["objects"][:3, :2].copy()
    with ProvingGround(trials(max_s=0.8), RulePolicy(), SystemClock()) as ground:
        ground.trial(5000)
        moved_m = np.linalg.norm(
            places_m - ground._loop.latest["sim"]["objects"][:3, :2], axis=1)
    assert np.sum(moved_m > 0.008) == 1         # one cube, the asked one
