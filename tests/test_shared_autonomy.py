"""A person and a policy on one arm: taking it, sharing it axis by axis, giving it back."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy

from policy.driving.two_speeds import Delays
from studio.devices.interfaces import idle_input
from studio.station.commands import Pause, SetSharing, StartPolicy
from studio.station.loop.safety import SafetyLimits
from studio.station.loop.shared_control import SharedControl
from studio.station.messages import Guard, Mode, Owner

pytestmark = pytest.mark.gl
LEFT_OF_PLAN = (0.0, 0.1, 0.0, 0.0, 0.0, 0.0)
ONLY_Y = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
THINK_S, ACT_S = 0.05, 0.03


@pytest.fixture
def policy() -> RulePolicy:
    return RulePolicy()


@pytest.fixture
def desk(policy) -> Iterator[RolloutDesk]:
    made = RolloutDesk(policy, delays=Delays(think_s=THINK_S, act_s=ACT_S))
    made.begin()
    made.ticks(60)
    yield made
    made.robot.disconnect()


def modes(rows) -> list[Mode]:
    """Without repetitions."""
    found = [Mode(row["mode"]) for row in rows]
    return [mode for i, mode in enumerate(found) if i == 0 or mode is not found[i - 1]]


# ---- taking the arm and giving it back -----------------------------------------------------------


def test_letting_go_hands_back_and_only_a_plan_from_after_that_moves_the_arm(desk):
    assert modes(desk.push(30)) == [Mode.HUMAN]
    rows = desk.ticks(60)
    assert modes(rows) == [Mode.HUMAN, Mode.HANDBACK, Mode.AUTO]
    let_go_ns = next(row["t_mono_ns"] for row in rows if row["mode"] == Mode.HANDBACK)
    first = next(row for row in rows if row["mode"] == Mode.AUTO)
    chunk = desk.station.loop.player.chunk
    assert chunk.observation_ns >= let_go_ns and chunk.epoch == first["epoch"]
    inference_s = THINK_S + ACT_S + 0.034                       # a picture comes at 30 Hz
    assert first["t_mono_ns"] - let_go_ns <= (inference_s + 0.02) * 1e9
    held = [row for row in rows if row["mode"] == Mode.HANDBACK]
    assert all(set(row["owner"].tolist()) == {Owner.HOLD} for row in held)


def test_it_goes_on_to_success_after_somebody_stepped_in(desk):
    desk.push(50)
    while desk.station.detected() != "success" and len(desk.rows) < 1500:
        desk.ticks(20)
    assert desk.station.detected() == "success"


def test_a_hand_that_comes_back_while_the_policy_plans_has_the_arm_in_that_tick(desk):
    desk.push(20)
    desk.ticks(12)
    assert desk.mode is Mode.HANDBACK
    assert modes(desk.push(1)) == [Mode.HUMAN]


def test_each_time_somebody_steps_in_is_counted_on_its_ticks(desk):
    first, between = desk.push(10), desk.ticks(60)
    second = desk.push(10)
    assert {int(row["intervention"]) for row in first} == {1}
    assert between[-1]["intervention"] == 0
    assert {int(row["intervention"]) for row in second} == {2}


def test_an_arm_that_is_not_to_go_back_by_itself_waits_armed(desk):
    desk.do(SetSharing(hand_back=False))
    desk.push(20)
    desk.ticks(40)
    assert desk.mode is Mode.ARMED
    desk.do(StartPolicy())
    assert desk.ticks(40)[-1]["mode"] == Mode.AUTO


def test_a_pause_ends_it_and_a_hand_moves_no_paused_arm(desk):
    desk.push(20)
    desk.do(Pause())
    rows = desk.push(40) + desk.ticks(60)
    assert modes(rows) == [Mode.HOLD]
    assert np.allclose(rows[-1]["sent"], rows[-2]["sent"])


# ---- axis by axis --------------------------------------------------------------------------------


def test_the_person_moves_their_axis_and_the_policy_goes_on_with_the_others(desk):
    desk.do(SetSharing(human=ONLY_Y))
    rows = desk.push(100, (0.3, -0.08, 0.3, 0.5, 0.5, 0.5))
    assert modes(rows) == [Mode.SHARED]
    began, ended = rows[0]["sent_tool"], rows[-1]["sent_tool"]
    assert ended[1] - began[1] == pytest.approx(-0.08, abs=0.01)
    plan = desk.station.loop.kinematics.forward(rows[-1]["proposed_policy"])
    assert np.abs(ended[[0, 2]] - plan[[0, 2]]).max() < 0.02    # x, z: on the policy's plan
    assert abs(float(ended[3:] @ plan[3:])) > 0.999             # and so is the wrist
    assert np.allclose(rows[-1]["human_share"][:6], ONLY_Y)
    assert set(rows[-1]["owner"][:-1].tolist()) == {Owner.BLEND}
    assert modes(desk.ticks(60)) == [Mode.SHARED, Mode.HANDBACK, Mode.AUTO]


def test_half_and_half_moves_half_as_far_as_each_alone(desk):
    kinematics, here = desk.station.loop.kinematics, desk.rows[-1]["sent"]
    both = SharedControl(kinematics, SafetyLimits(), 0.01)
    up = msgspec.structs.replace(idle_input(0), enabled=True, twist=np.array([0, 0, 0.1, 0, 0, 0]))
    aside, asked = here.copy(), here
    for _ in range(30):
        aside[0] += 0.001                           # the policy's plan turns the arm's first joint
        asked = both.wish(up, None, aside, "a plan", asked, np.full(6, 0.5))
    began, ended, planned = (kinematics.forward(joints) for joints in (here, asked, aside))
    assert ended[2] - began[2] == pytest.approx(0.5 * 0.1 * 0.3, abs=1e-3)
    half = (planned - began)[:2] / 2
    assert np.linalg.norm(half) > 0.004
    assert np.allclose((ended - began)[:2], half, atol=1.5e-3)


def test_an_arm_that_both_drive_into_the_table_is_the_safety_layers_while_it_backs_off(desk):
    desk.do(SetSharing((0.5,) * 6))
    rows = desk.push(400, (0.0, 0.0, -0.3, 0.0, 0.0, 0.0))
    hit = [row for row in rows if row["guards"] & Guard.FORCE_LIMIT and row["mode"] == Mode.SHARED]
    assert hit
    assert all(set(row["owner"].tolist()) == {Owner.SAFETY} and not row["human_share"].any()
               for row in hit)


@pytest.mark.parametrize("human", [(1.0,) * 5, (1.0,) * 5 + (1.1,), (0.0,) * 6,
                                   (float("nan"),) * 6])
def test_shares_that_mean_nothing_are_refused(desk, human):
    reply = desk.station.handle(SetSharing(human=human))
    assert not reply.accepted and reply.reason


def test_a_change_of_shares_holds_from_the_next_time_on(desk):
    desk.hand.pushing = True
    desk.ticks(10)
    desk.do(SetSharing(human=ONLY_Y))
    assert modes(desk.ticks(10)) == [Mode.HUMAN]
    desk.hand.pushing = False
    desk.ticks(60)
    assert modes(desk.push(10)) == [Mode.SHARED]


# ---- the gripper ---------------------------------------------------------------------------------


def test_the_gripper_stays_as_the_policy_left_it_until_somebody_presses(desk):
    before = desk.rows[-1]["sent"][-1]
    rows = desk.push(30)
    assert np.allclose([row["sent"][-1] for row in rows], before, atol=1e-3)
    assert {row["owner"][-1] for row in rows} == {Owner.HOLD}
    assert rows[-1]["human_share"][6] == 0.0


def test_a_press_alone_takes_the_arm_and_closes_the_gripper(desk):
    here = desk.rows[-1]["sent"][-1]
    assert here > 0.9
    desk.hand.gripper = 0.0
    rows = desk.ticks(5)
    desk.hand.gripper = None
    assert modes(rows) == [Mode.HUMAN] and rows[0]["owner"][-1] == Owner.HUMAN
    assert rows[-1]["human_share"][6] == 1.0
    assert desk.ticks(5)[-1]["sent"][-1] < here
    assert modes(desk.ticks(60))[-1] is Mode.AUTO


def test_a_shared_gripper_is_never_in_between(desk):
    desk.do(SetSharing(human=(0.5,) * 6))
    rows = desk.push(30)
    wished = {round(float(row["blended"][-1]), 3) for row in rows}
    planned = {round(float(row["proposed_policy"][-1]), 3) for row in rows
               if np.isfinite(row["proposed_policy"]).all()}
    assert wished <= planned | {round(float(rows[0]["sent"][-1]), 3)}
