"""What a LeRobot arm's numbers and a robot's model mean, and how both are named in a shell."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorders.clock import ManualClock
from studio import cli
from studio.commands.device_options import gathered, operator_of, robot_options, teleop_options
from studio.commands.output import UsersMistakeError
from studio.devices.interfaces import DeviceError
from studio.devices.joint_units import JointUnits, joint_keys, joint_units
from studio.devices.lerobot_robot import LerobotRobot
from studio.devices.lerobot_types import built_in_types, require_type
from studio.devices.robot_model import ToolFrame, load_model, own_model
from studio.station.robots import cameras_of, require_robot, tasks_of

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
KEYS = (*(f"{joint}.pos" for joint in JOINTS), "gripper.pos")
ONES = np.ones(len(JOINTS))


def units(unit: str = "deg") -> JointUnits:
    return joint_units(KEYS, unit, -2 * ONES, 2 * ONES, 100.0)     # pyright: ignore[reportArgumentType]


@given(st.lists(st.floats(-3, 3), min_size=5, max_size=5), st.floats(0, 1),
       st.sampled_from(("deg", "rad", "m100_100")))
def test_what_is_sent_and_read_back_is_the_same_in_every_unit(angles, gripper, unit):
    position = np.array([*angles, gripper])
    np.testing.assert_allclose(units(unit).ours(units(unit).theirs(position)), position, atol=1e-9)


def test_degrees_become_radians_and_percent_a_share_of_the_range_and_names_stay():
    assert units().theirs(np.array([np.pi / 2, 0, 0, 0, 0, 0.25])) == pytest.approx(
        dict(zip(KEYS, (90, 0, 0, 0, 0, 25), strict=True)))
    assert units("m100_100").theirs(np.array([1.0, 0, 0, 0, -2.0, 1.0])) == pytest.approx(
        dict(zip(KEYS, (50, 0, 0, 0, -100, 100), strict=True)))
    assert units().names == (*JOINTS, "gripper")


def test_the_gripper_comes_last_wherever_the_robot_has_it_and_is_open_where_it_has_none():
    assert joint_keys("a", ("gripper.pos", "b.pos", "a.pos")) == ("b.pos", "a.pos", "gripper.pos")
    bare = joint_units(joint_keys("a", ("b.pos",)), "rad", -ONES[:1], ONES[:1], 100.0)
    assert bare.ours({"b.pos": 0.5}).tolist() == [0.5, 1.0]
    assert bare.theirs(np.array([0.5, 0.0])) == {"b.pos": 0.5}
    assert bare.names == ("b", "gripper")


@pytest.mark.parametrize(("actions", "why"), [
    (("x.vel", "theta.vel"), r"x\.vel, theta\.vel"),
    (("left_gripper.pos", "right_gripper.pos", "a.pos"), "2 grippers"),
    (("gripper.pos",), "no joints"),
])
def test_what_is_not_one_arm_driven_by_positions_is_refused(actions, why):
    with pytest.raises(DeviceError, match=why):
        joint_keys("some_robot", actions)


@pytest.mark.parametrize("reading", [{}, {key: np.nan for key in KEYS}])
def test_a_reading_that_is_none_is_never_a_posture(reading):
    with pytest.raises(DeviceError, match="robot"):
        units().ours(reading)


# ---- models -----------------------------------------------------------------------------------


def so101():
    path = own_model("so101_follower")
    assert path is not None
    return load_model(path, JOINTS)


def test_the_so101_reaches_as_far_as_its_links_are_long():
    """Lengths as published by its makers: see the head of models/so101.xml."""
    frame, still = ToolFrame(so101()), np.zeros(5)
    upper, fore = np.hypot(0.0280, 0.1126), np.hypot(0.1349, 0.0052)
    pose, _ = frame.at(np.zeros(5), still)
    np.testing.assert_allclose(pose[:3], [0.3913, 0.0, 0.2265], atol=1e-3)
    turned, _ = frame.at(np.array([0.5, 0, 0, 0, 0]), still)
    away = turned[:2] - [0.0388, 0.0]
    assert np.linalg.norm(away) == pytest.approx(0.3913 - 0.0388, abs=1e-3)
    assert away[1] < 0          # LeRobot's positive pan turns to the right
    farthest = max(np.linalg.norm(frame.at(np.array([0, 1.2, lift, wrist, 0]), still)[0][[0, 2]]
                                  - [0.0692, 0.1166])
                   for lift in np.linspace(-1.69, 1.69, 40) for wrist in np.linspace(-1.6, 1.6, 40))
    assert farthest <= upper + fore + 0.0611 + np.hypot(0.0981, 0.0079) + 1e-6


@given(st.lists(st.floats(-1.5, 1.5), min_size=5, max_size=5), st.integers(0, 4))
def test_the_tools_twist_is_the_derivative_of_its_pose(angles, joint):
    frame, angles, tiny = ToolFrame(so101()), np.array(angles), 1e-6
    speeds = np.eye(5)[joint]
    pose, twist = frame.at(angles, speeds)
    later, _ = frame.at(angles + tiny * speeds, speeds)
    np.testing.assert_allclose((later[:3] - pose[:3]) / tiny, twist[:3], atol=1e-4)


URDF = """<robot name="two"><link name="base"><visual><geometry>
<mesh filename="base.stl"/></geometry></visual></link>
<link name="upper"><visual><geometry><mesh filename="package://a/upper.stl"/></geometry></visual>
</link><link name="hand"/><link name="tcp"/>
<joint name="pan" type="revolute"><parent link="base"/><child link="upper"/><axis xyz="0 0 1"/>
<origin xyz="0 0 0.1"/><limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
<joint name="lift" type="{kind}"><parent link="upper"/><child link="hand"/><axis xyz="0 1 0"/>
<origin xyz="0 0 0.2"/><limit lower="-1" upper="2" effort="1" velocity="1"/></joint>
<joint name="end" type="fixed"><parent link="hand"/><child link="tcp"/><origin xyz="0.3 0 0"/>
</joint></robot>"""


def test_a_urdf_with_meshes_that_are_not_there_is_a_model_all_the_same(tmp_path: Path):
    (tmp_path / "two.urdf").write_text(URDF.format(kind="revolute"))
    model = load_model(tmp_path / "two.urdf", ("pan", "lift"))
    assert (model.lower, model.upper) == ((-1.0, -1.0), (1.0, 2.0))
    pose, _ = ToolFrame(model).at(np.zeros(2), np.zeros(2))
    np.testing.assert_allclose(pose[:3], [0.3, 0.0, 0.3], atol=1e-6)
    assert "mesh" not in model.xml


@pytest.mark.parametrize(("joints", "tool", "text", "why"), [
    (("pan", "elbow"), "", URDF.format(kind="revolute"), "no joint elbow: it has pan, lift"),
    (("pan", "lift"), "beak", URDF.format(kind="revolute"), "no site or link 'beak'.*hand, tcp"),
    (("pan", "lift"), "", URDF.format(kind="continuous"), "how far lift may turn"),
    (("pan",), "", "<robot", "no URDF or MJCF"),
])
def test_a_model_that_does_not_fit_is_refused_with_what_it_has(tmp_path, joints, tool, text, why):
    (tmp_path / "robot.urdf").write_text(text)
    with pytest.raises(DeviceError, match=why):
        load_model(tmp_path / "robot.urdf", joints, tool)


@pytest.mark.parametrize(("told", "why"), [
    ({"rate_hz": -5}, "rate_hz is -5"), ({"rate_hz": "fast"}, "rate_hz is 'fast'"),
    ({"max_velocity": float("nan")}, "max_velocity is nan"), ({"max_jerk": 0}, "max_jerk is 0"),
    ({"unit": "degrees"}, "unknown unit 'degrees'.*deg, rad, m100_100"),
    ({"gripper_open": 0}, "gripper_open is 0"),
])
def test_a_limit_or_a_unit_that_is_none_is_refused_before_anything_moves(told, why):
    with pytest.raises(DeviceError, match=why):
        LerobotRobot(ManualClock(0), "so101_follower", fields={"port": "nowhere"}, **told)


# ---- names ------------------------------------------------------------------------------------


def test_lerobots_types_are_known_without_importing_it():
    assert {"so100_follower", "so101_follower", "koch_follower"} <= built_in_types("robot").keys()
    assert {"opencv", "intelrealsense", "zmq"} <= built_in_types("camera").keys()
    assert "so101_leader" in built_in_types("teleoperator")


def test_an_unknown_robot_is_refused_with_all_that_are_valid():
    with pytest.raises(DeviceError, match=r"valid are sim, .*LeRobot's .*so101_follower"):
        require_robot("so999_follower")
    with pytest.raises(DeviceError, match=r"valid are .*opencv"):
        require_type("camera", "pinhole")


@pytest.mark.parametrize(("fields", "why"), [
    ("port=/dev/x", r"fields of so101_follower are names with values.*not 'port=/dev/x'"),
    ({"port": "/" + "x" * 5000}, "there is no port /xxx"),
    ({"discover_packages_path": 5}, "names modules, as in my_arm.*not 5"),
    ({"discover_packages_path": [1]}, r"names modules.*not \[1\]"),
    ({"discover_packages_path": "."}, "=. cannot be imported: TypeError"),
    ({"discover_packages_path": "torn_arm"}, "=torn_arm cannot be imported: SyntaxError"),
    ({"discover_packages_path": "leaving_arm"}, "=leaving_arm cannot be imported: SystemExit")])
def test_fields_that_are_none_and_modules_that_break_are_one_line(
        tmp_path, monkeypatch, fields, why):
    (tmp_path / "torn_arm.py").write_text("class Arm(\n")
    (tmp_path / "leaving_arm.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    robot = "arm_of_mine" if "discover_packages_path" in fields else "so101_follower"
    with pytest.raises(DeviceError, match=why) as refusal:
        require_robot(robot, {"fields": fields})
    assert "\n" not in str(refusal.value)


def test_a_real_robots_task_is_whatever_is_said():
    tasks = tasks_of("so101_follower")
    assert tasks["fold the towel"].instructions == ("fold the towel",)
    assert "" not in tasks and len(list(tasks)) == 1
    assert cameras_of("so101_follower") == ()


def test_a_robots_fields_are_typed_as_lerobot_types_them():
    words = gathered(["--robot", "so101_follower", "--robot.port=/dev/a", "--robot.id", "mine",
                      "--task=wave", "--robot.max_velocity", "1.5"])
    assert words[:4] == ["--robot", "so101_follower", "--task", "wave"]
    assert robot_options("so101_follower", words[-1], "{front: {type: opencv}}") == {
        "fields": {"port": "/dev/a", "id": "mine"}, "max_velocity": 1.5,
        "cameras": {"front": {"type": "opencv"}}}
    assert teleop_options("leader:so101_leader", '{"port": "/dev/b", "rate_hz": "90"}') == {
        "fields": {"port": "/dev/b"}, "rate_hz": 90}
    assert operator_of("so101_leader") == "leader:so101_leader"
    assert operator_of("gamepad") == "gamepad"      # ours, though LeRobot has one of that name


def test_a_station_file_says_the_same_and_what_is_typed_goes_before(tmp_path: Path):
    file = tmp_path / "desk.yaml"
    file.write_text("robot: {type: so101_follower, port: /dev/a, id: mine}\nteleop: spacemouse\n"
                    "cameras: {front: {type: opencv, index_or_path: 0}}\nheadless: true\n")
    words = gathered(["--station", str(file), "--robot.port", "/dev/z", "--teleop", "gamepad"])
    assert words[words.index("--robot") + 1] == "so101_follower"
    assert words.count("--teleop") == 1 and "gamepad" in words and "--headless" in words
    assert robot_options("so101_follower", words[-1], "")["fields"] == {
        "port": "/dev/z", "id": "mine"}


def test_a_list_in_a_station_file_is_several_values_and_cameras_are_one(tmp_path: Path):
    file = tmp_path / "desk.yaml"
    file.write_text("image-size: [48, 64]\ncameras: [front]\n")
    assert gathered(["--station", str(file)], ("image_size", "cameras")) == [
        "--image-size", "48", "64", "--cameras", '["front"]', "--station", str(file)]


def test_what_a_station_file_says_and_no_command_understands_is_one_line(tmp_path: Path, capsys):
    file = tmp_path / "desk.yaml"
    file.write_text("robot: {type: so101_follower, port: /dev/a}\nepisode: 3\n")
    assert cli.main(["record", "--station", str(file)]) == 2
    line, = capsys.readouterr().err.splitlines()
    assert f"{file} says 'episode'" in line and "task, episodes" in line


@pytest.mark.parametrize(("words", "why"), [
    (["--robot.port"], "needs a value"),
    (["--station", "no/such.yaml"], "cannot be read"),
    (["--station", "~nobody-of-this-name/x.yaml"], "cannot be read"),
    (["--station"], "needs a file"),
])
def test_a_mistyped_field_is_one_line(words, why):
    with pytest.raises(UsersMistakeError, match=why):
        gathered(words)


def test_a_simulator_has_no_port_and_only_its_own_cameras():
    with pytest.raises(UsersMistakeError, match="for real robots"):
        robot_options("sim", '{"port": "/dev/a"}', "")
    assert robot_options("sim", "", "[front]") == {"cameras": ["front"]}
    with pytest.raises(UsersMistakeError, match="front, wrist"):
        robot_options("sim", "", "[side]")
