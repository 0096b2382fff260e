"""Our arm, operators and tasks as LeRobot finds them; its commands run in `make interop`."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recorders.clock import NS_PER_S
from studio.devices.interfaces import DeviceStatus, HumanInput
from studio.lerobot_plugin.joint_hand import LONGEST_S, JointHand
from studio.sim.robot import SimRobot
from studio.station.loop.kinematics import ArmKinematics

SHIM = Path(__file__).parent.parent / "lerobot_robot_tandem"


def lifting(speed: float = 0.1, enabled: bool = True) -> HumanInput:
    return HumanInput(0, DeviceStatus.OK, np.zeros(8), 0, enabled, np.array([0, 0, speed, 0, 0, 0]),
                      gripper=0.25)


def test_a_hands_twist_becomes_joint_targets_that_lift_the_tool_and_never_jump():
    info = SimRobot(render=False).info
    hand, kinematics = JointHand(info), ArmKinematics(info)
    below = kinematics.forward(hand.target)
    target = hand.target
    for k in range(31):
        target = hand.follow(lifting(), k * NS_PER_S // 30)
    risen = kinematics.forward(target) - below
    assert risen[2] == pytest.approx(0.1, abs=0.01) and np.abs(risen[:2]).max() < 0.01
    assert target[-1] == 0.25
    before = target.copy()
    after = hand.follow(lifting(50.0), 60 * NS_PER_S)[:-1]      # a minute later, at a wild speed
    most = np.array(info.max_velocity[:-1]) * LONGEST_S
    assert (np.abs(after - before[:-1]) <= most + 1e-9).all()
    assert np.array_equal(hand.follow(lifting(enabled=False), 61 * NS_PER_S)[:-1], after)


def test_lerobot_finds_the_small_distribution_because_it_is_called_like_its_module():
    project = tomllib.loads((SHIM / "pyproject.toml").read_text())["project"]
    assert project["name"].startswith("lerobot_robot_")
    assert (SHIM / f"{project['name']}.py").is_file()


@pytest.mark.gl
@pytest.mark.slow
def test_lerobot_makes_them_by_their_types_and_the_same_seed_is_the_same_scene():
    from lerobot.envs.factory import make_env, make_env_config
    from lerobot.robots.config import RobotConfig
    from lerobot.robots.utils import make_robot_from_config
    from lerobot.teleoperators.config import TeleoperatorConfig
    from lerobot.teleoperators.utils import make_teleoperator_from_config

    import studio.lerobot_plugin as plugin

    robot = make_robot_from_config(RobotConfig.get_choice_class("tandem_sim")())
    teleop = make_teleoperator_from_config(
        TeleoperatorConfig.get_choice_class("tandem_scripted")())
    assert isinstance(robot, plugin.TandemSim) and isinstance(teleop, plugin.TandemScripted)
    assert teleop.action_features == robot.action_features
    assert all(name.endswith(".pos") for name in robot.action_features)
    config = make_env_config("tandem", height=64, width=64, episode_length=3)
    envs: Any = make_env(config)["tandem"][0]
    first, _ = envs.reset(seed=[5])
    moved, *_ = envs.step(first["agent_pos"] + 0.05)
    again, _ = envs.reset(seed=[5])
    assert first["pixels"]["front"].shape == (1, 64, 64, 3)
    assert np.array_equal(first["agent_pos"], again["agent_pos"])
    assert np.abs(moved["agent_pos"] - first["agent_pos"]).max() > 0.001
    for k in range(3):
        _, _, _, ended, _ = envs.step(again["agent_pos"])
        assert bool(ended[0]) == (k == 2)
    envs.close()
