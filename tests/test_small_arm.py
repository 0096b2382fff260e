"""A hand drives an arm of five joints, the SO-101: it goes straight, and calmly to its very end."""

import numpy as np
import pytest

from studio.devices.columns import arm_stream
from studio.devices.interfaces import DeviceStatus, HumanInput, RobotInfo
from studio.devices.robot_model import load_model, own_model
from studio.station.loop.clutch import PACE, Clutch
from studio.station.loop.kinematics import ArmKinematics, angle_between
from studio.station.loop.safety import MotionLimiter, SafetyLimits, limits_for

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
DT_S = 0.01


def so101() -> RobotInfo:
    path = own_model("so101_follower")
    assert path is not None
    model, names = load_model(path, JOINTS), (*JOINTS, "gripper")
    return RobotInfo(
        name="so101_follower", joint_names=names, lower=(*model.lower, 0.0),
        upper=(*model.upper, 1.0), max_velocity=(*[2.0] * 5, 4.0),
        max_acceleration=(*[12.0] * 5, 60.0), max_jerk=(*[300.0] * 5, 2000.0),
        home=(*model.home, 1.0), model_xml=model.xml, tool_site=model.tool_site,
        arm_joints=model.joints, workspace=(model.low, model.high),
        streams=(arm_stream(100, names, "rad", "N m"),))


class Hand:
    """Pushes one way, and notes where the tool is."""

    def __init__(self) -> None:
        info = so101()
        self.kinematics, self.limits = ArmKinematics(info), limits_for(info, SafetyLimits())
        self.clutch = Clutch(self.kinematics, self.limits, DT_S)
        self.limiter = MotionLimiter(info, self.limits, self.kinematics, DT_S)
        self.limiter.start_from(np.array(info.home))
        self.joints, self.tools = [self.limiter.position], [self.tool]

    @property
    def tool(self) -> np.ndarray:
        return self.kinematics.forward(self.limiter.position)

    def push(self, twist: list[float], seconds: float) -> None:
        for _ in range(round(seconds / DT_S)):
            given = HumanInput(0, DeviceStatus.OK, np.zeros(8), 0, True, np.array(twist))
            command = self.limiter.step(self.clutch.wish(given, self.limiter.position))
            self.joints.append(command.position)
            self.tools.append(self.tool)

    def off_the_line(self, axis: int) -> float:
        """How far the tool ever was beside a line along an axis, in m."""
        away = np.array(self.tools)[:, :3] - self.tools[0][:3]
        return float(np.abs(np.delete(away, axis, axis=1)).max())


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_tool_goes_straight_where_the_hand_pushes(axis, sign):
    hand = Hand()
    twist = np.zeros(6)
    twist[axis] = sign * 0.08
    hand.push(twist.tolist(), 0.6)
    moved = sign * (hand.tool - hand.tools[0])[axis]
    assert moved == pytest.approx(0.08 * 0.6, abs=0.006)
    assert hand.off_the_line(axis) < 0.006
    assert angle_between(hand.tools[0][3:], hand.tool[3:]) < 0.2      # as far as five joints can


def test_pushed_against_the_end_of_its_reach_it_slows_down_stands_and_comes_back_at_once():
    """Full deflection needs more of a small arm's joints than they have, long before the end."""
    hand = Hand()
    hand.push([0.25, 0, 0, 0, 0, 0], 5.0)
    steps = np.abs(np.diff(hand.joints, axis=0))[:, :5]
    assert (steps[-50:] < 1e-4).all()                   # it stands, however hard it is pushed
    assert hand.tool[0] > 0.45                          # … at its end
    outwards = np.array(hand.tools)[:140, :3]
    assert np.abs(outwards[:, 2] - outwards[0, 2]).max() < 0.03
    at_the_end = hand.tool[0]
    hand.push([-0.1, 0, 0, 0, 0, 0], 0.5)
    assert hand.tool[0] < at_the_end - 0.01             # nothing was stored up


def test_no_joint_is_asked_for_more_than_its_share():
    hand = Hand()
    solutions = []
    for _ in range(150):
        hand.push([0.25, 0, 0, 0, 0, 0.8], DT_S)
        solutions.append(hand.clutch._solution)
    rates = np.abs(np.diff(solutions, axis=0))[:, :5] / DT_S
    assert rates.max() <= PACE * 2.0 + 1e-6


def test_the_workspace_is_what_the_arm_reaches_above_its_base():
    hand = Hand()
    assert hand.limits.workspace_low[2] == 0.0
    assert 0.4 < hand.limits.workspace_high[0] < 0.5
    hand.push([0, 0, -0.1, 0, 0, 0], 2.0)
    assert hand.tool[2] > -2e-3
