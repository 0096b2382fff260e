"""What the devices panel offers, asks for and shows; and what is old when the station is silent."""

import inspect

import msgspec
import pytest
from doubles.snapshots import STREAMS, desk, snapshot
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from studio.commands.device_options import gathered
from studio.devices.interfaces import DeviceError, DeviceStatus
from studio.devices.lerobot_robot import LerobotRobot
from studio.sim.gym.metaworld import MetaworldWorld
from studio.sim.gym.pusht import PushTWorld
from studio.sim.scene import CAMERA_NAMES
from studio.station.desk.link import UseDevices
from studio.station.given_devices import ROBOTS_OWN, cameras_in, cameras_line, fields_in, line_of
from studio.station.messages import StreamHealth
from studio.station.robots import cameras_of, require_operator
from studio.views.camera_words import caption, why_old
from studio.views.device_choices import (
    LEADER_ARM,
    Choice,
    cameras,
    changed,
    choice_of,
    operator_words,
    operators,
    robots,
    with_camera,
    with_robot,
)
from studio.views.device_values import UNKNOWN, device_of
from studio.views.health_bar import gauges
from studio.views.icons import ICONS
from studio.views.station_file import choice_in, keep, left_out

SPACEMOUSE = desk(teleop="spacemouse")


# ---- what may be chosen ----

@pytest.mark.parametrize("robot", robots())
def test_who_is_offered_can_sit_at_that_robot_and_has_words_and_an_icon(robot):
    for name in operators(robot):
        require_operator("leader:so101_leader" if name == LEADER_ARM else name, robot)
        words, sign = operator_words(name)
        assert words and sign in ICONS
    assert {"keyboard", "spacemouse", "gamepad", LEADER_ARM, "none"} <= set(operators(robot))


def test_a_script_is_offered_only_where_it_knows_the_tasks():
    assert "scripted" in operators("sim") and "expert" not in operators("sim")
    assert "expert" in operators("gym:pusht") and "scripted" not in operators("gym:pusht")
    for script, robot in (("expert", "sim"), ("scripted", "gym:pusht")):
        with pytest.raises(DeviceError, match=f"does not know what to do with {robot}: valid are"):
            require_operator(script, robot)


@pytest.mark.parametrize("name", ["leader:", "leader:<lerobot type>", "telepathy", ""])
def test_a_placeholder_is_nobody_who_could_drive(name):
    with pytest.raises(DeviceError, match="valid are"):
        require_operator(name, "sim")


def test_no_placeholder_is_offered():
    assert not any("<" in name for name in (*robots(), *operators("sim")))


def test_the_cameras_that_are_offered_are_those_that_there_are():
    assert cameras_of("sim") == tuple(CAMERA_NAMES)
    assert cameras_of("gym:metaworld/push-v3") == MetaworldWorld.cameras
    assert cameras_of("gym:pusht") == PushTWorld.cameras
    assert cameras("some robot of the future") == ()


@pytest.mark.parametrize("used", [
    desk(), desk(teleop="none", robot_options={"cameras": ["wrist"], "depth": False}),
    desk(robot="gym:pusht", teleop="expert", robot_options={"image_size": [96, 96]}),
    desk(teleop="leader:so101_leader",
         teleop_options={"fields": {"port": "/dev/ttyACM0", "id": "left"}, "unit": "deg"})])
def test_what_is_used_asked_for_again_is_the_same(used):
    request = changed(choice_of(used), used)
    assert (request.robot, request.robot_options) == (used.robot, used.robot_options)
    assert (request.teleop, request.teleop_options) == (used.teleop, used.teleop_options)


def test_another_device_keeps_the_robots_options_and_leaves_the_old_devices_behind():
    used = desk(robot_options={"depth": False, "cameras": ["front"]}, teleop="gamepad",
                teleop_options={"layout": "ds"})
    request = changed(msgspec.structs.replace(choice_of(used), teleop="keyboard"), used)
    assert request.robot_options == {"depth": False, "cameras": ["front"]}
    assert (request.teleop, request.teleop_options) == ("keyboard", {})


def test_a_leader_arm_is_asked_for_by_its_type_and_fields():
    choice = Choice(teleop=LEADER_ARM, leader_type=" so101_leader ", cameras=("front", "wrist"),
                    leader_fields="/dev/ttyACM0 unit=rad")
    request = changed(choice, desk())
    assert request.teleop == "leader:so101_leader" and request.robot_options == {}
    assert request.teleop_options == {"fields": {"port": "/dev/ttyACM0"}, "unit": "rad"}
    assert choice_of(desk(teleop=request.teleop, teleop_options=request.teleop_options)) \
        == msgspec.structs.replace(choice, leader_type="so101_leader",
                                   leader_fields="port=/dev/ttyACM0 unit=rad")


def test_a_robots_options_of_ours_are_those_that_it_is_opened_with():
    ours = set(inspect.signature(LerobotRobot).parameters)
    assert ours - {"clock", "robot_type", "fields", "cameras"} == set(ROBOTS_OWN)


def test_nobody_leaves_a_real_robot_to_a_script():
    assert "so101_follower" in robots()
    assert not {"scripted", "expert"} & set(operators("so101_follower"))
    assert {"keyboard", LEADER_ARM, "none"} <= set(operators("so101_follower"))


_NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
_VALUES = st.one_of(st.booleans(), st.integers(-9999, 9999), st.floats(-1e3, 1e3), st.none(),
                    st.text(st.characters(exclude_categories=("C", "Z")), max_size=12),
                    st.sampled_from(["0123", "1e3", "no", "/dev/tty ACM0", "a;b", "it's", "{x"]),
                    st.lists(st.integers(0, 9), max_size=3),
                    st.dictionaries(_NAMES, st.integers(0, 9), max_size=2))
_FIELDS = st.dictionaries(_NAMES, _VALUES, max_size=4)


@settings(max_examples=40, deadline=None, phases=(Phase.generate,))
@given(_FIELDS, st.dictionaries(_NAMES, _FIELDS.map(lambda of: {"type": "opencv"} | {
    name: value for name, value in of.items() if name != "type"}), max_size=3))
def test_a_line_of_fields_or_cameras_says_what_it_was_made_of(fields, cameras):
    assert fields_in(line_of(fields), "robot") == fields
    assert cameras_in(cameras_line(cameras)) == cameras


@pytest.mark.parametrize(("line", "why"), [
    ("port", "'port' is no field of the robot: write NAME=VALUE"), ("port=", "no field"),
    ("port=a port=b", "port of the robot is said twice"),
    ("id='mine", "the fields of the robot cannot be read: No closing quotation"),
    ("id=2024-06-00", "'2024-06-00' is no value of a field: day"),
    ("id=2024-13-45", "no value of a field"), ("id=0x_", "no value of a field"),
    ("id=999999999999999999999999", "no value of a field"),
    (f"id={'[' * 2000}", "no value of a field"), ("id='&a [*a]'", "no value of a field")])
def test_a_line_that_cannot_be_read_says_which_word(line, why):
    with pytest.raises(DeviceError, match=why):
        fields_in(line, "robot")


def test_a_date_in_a_line_is_the_text_that_was_typed():
    assert fields_in("id=2024-06-01", "robot") == {"id": "2024-06-01"}


@pytest.mark.parametrize("options", [
    {"cameras": ["front"]}, {"cameras": {"front": "opencv"}}, {"cameras": 5}, {"cameras": "front"},
    {"fields": "port=/dev/x"}, {"fields": [1], "cameras": {"front": None}}])
@pytest.mark.parametrize("robot", ["so101_follower", "sim", "gym:pusht", "some robot"])
def test_options_that_are_none_are_shown_as_none_and_end_no_window(robot, options):
    used = desk(robot=robot, robot_options=options, teleop="leader:so101_leader",
                teleop_options=options)
    shown = choice_of(used)
    assert shown.robot == robot and shown.robot_fields == shown.leader_fields == ""
    assert not shown.cameras_line and set(shown.cameras) <= set(cameras(robot))


@pytest.mark.parametrize("cameras", [["front"], {"front": "opencv"}, 5])
def test_cameras_that_are_none_of_a_real_robot_are_not_asked_for(cameras):
    choice = Choice(robot="so101_follower", more={"cameras": cameras})
    assert "cameras of a real robot are names with types" in choice.complaint


def test_a_camera_is_added_by_its_type_and_a_line_that_lacks_one_names_them():
    line = with_camera(with_camera("", "opencv"), "realsense")
    assert list(cameras_in(line)) == ["front", "wrist"]
    assert cameras_in(line)["wrist"]["type"] == "realsense"
    with pytest.raises(DeviceError, match="types are realsense, intelrealsense, opencv"):
        cameras_in("front")
    with pytest.raises(DeviceError, match="two cameras of the name 'front'"):
        cameras_in("front opencv; front opencv")


# ---- a station file ----

def test_a_station_file_says_what_the_command_line_makes_of_it_and_keeps_its_other_lines(tmp_path):
    path = tmp_path / "desk.yaml"
    (tmp_path / "latency.yaml").write_text("front: 21.5\n")
    path.write_text("""
robot: {type: so101_follower, port: /dev/ttyACM0, id: mine, max_velocity: 1.5}
teleop: {type: so101_leader, port: /dev/ttyACM1}
cameras:
  front: {type: realsense, serial: "0123", fps: 30}
latency: latency.yaml
store: /data/mine
""")
    choice = choice_in(str(path))
    request = changed(choice, desk())
    assert request == UseDevices(
        robot="so101_follower", teleop="leader:so101_leader", robot_options={
            "fields": {"port": "/dev/ttyACM0", "id": "mine"}, "max_velocity": 1.5,
            "cameras": {"front": {"type": "realsense", "serial": "0123", "fps": 30}},
            "latency_ms": {"front": 21.5}}, teleop_options={"fields": {"port": "/dev/ttyACM1"}})
    keep(str(path), msgspec.structs.replace(choice, robot_fields="port=/dev/ttyACM2"))
    again = choice_in(str(path))
    assert (again.robot_fields, again.cameras_line) == ("port=/dev/ttyACM2", choice.cameras_line)
    assert again.more == {"latency_ms": {"front": 21.5}}
    assert "store: /data/mine" in path.read_text()
    words = gathered(["--station", str(path)])
    assert words[words.index("--robot") + 1] == "so101_follower"


FRONT = {"type": "opencv", "index_or_path": 0}
MEASURED = desk(robot="so101_follower", teleop="none", robot_options={
    "fields": {"port": "/dev/ttyACM0"}, "cameras": {"front": FRONT, "wrist": {**FRONT, "fps": 30}},
    "latency_ms": {"front": 20, "wrist": 30, "command": 12}})


def test_the_latencies_that_the_desk_works_with_are_kept_with_its_devices(tmp_path):
    again = choice_in(keep(str(tmp_path / "desk.yaml"), choice_of(MEASURED), MEASURED))
    assert changed(again, desk()) == changed(choice_of(MEASURED), MEASURED)
    assert again.more == {"latency_ms": {"front": 20, "wrist": 30, "command": 12}}


def test_a_camera_that_is_another_now_has_no_latency_and_the_others_have_theirs(tmp_path):
    another = msgspec.structs.replace(
        choice_of(MEASURED), cameras_line="front opencv index_or_path=0; wrist opencv fps=60")
    assert changed(another, MEASURED).robot_options["latency_ms"] == {"front": 20, "command": 12}
    path = keep(str(tmp_path / "desk.yaml"), choice_of(MEASURED), MEASURED)
    assert choice_in(keep(path, another)).more == {"latency_ms": {"front": 20, "command": 12}}


@pytest.mark.parametrize("latency", ["latency.yaml", "{front: 20}"])
def test_a_file_that_is_kept_for_another_robot_loses_the_latencies_of_the_one_before(
        tmp_path, latency):
    (tmp_path / "latency.yaml").write_text("front: 20\n")
    path = tmp_path / "desk.yaml"
    path.write_text(f"robot: sim\nstore: /data/mine\nlatency: {latency}\n")
    keep(str(path), Choice(cameras=("front", "wrist")))
    assert choice_in(str(path)).more == {"latency_ms": {"front": 20}}
    keep(str(path), choice_of(desk(robot="so101_follower", teleop="none")))
    assert choice_in(str(path)).more == {} and "/data/mine" in path.read_text()


def test_options_that_a_station_file_cannot_hold_are_named():
    used = desk(robot_options={"depth": False, "latency_ms": {"front": 20}, "image_size": [48, 64]})
    assert left_out(choice_of(used), used).startswith(", but for depth, image_size: ")
    assert left_out(choice_of(MEASURED), MEASURED) == left_out(choice_of(desk()), desk()) == ""


@pytest.mark.parametrize("choice", [
    Choice(cameras=("front",)), Choice(robot="gym:pusht", teleop="expert", cameras=("front",)),
    Choice(teleop="gamepad", cameras=("front", "wrist"), teleop_more={"layout": "ds"})])
def test_what_is_kept_in_a_new_station_file_is_read_again(tmp_path, choice):
    assert choice_in(keep(str(tmp_path / "new.yaml"), choice)) == choice


@pytest.mark.parametrize(("text", "why"), [
    (None, "cannot be read"), ("- 1", "is no station file: it must say"),
    ("robot: {port: 3}", "has a type"), ("robot: [", "is no value"),
    ("robot: {type: so101_follower, id: 2024-13-45}", "is no value of a field: month"),
    ("cameras: 5", r"cameras of sim are a list out of \[front, wrist\], not 5"),
    ("cameras: [{front: 1}]", "cameras of sim are a list"),
    ("robot: so101_follower\ncameras: {front: opencv}", "cameras of a real robot are names with"),
    ("robot: so101_follower\ncameras: [front]", "cameras of a real robot are names with"),
    ("robot: so101_follower\ncameras: {0: {type: opencv}}", "cameras of a real robot are"),
    ("latency: [1]", "latency of a station file is names with milliseconds"),
    ("latency: ~nobody-of-this-name/x.yaml", "is no file")])
def test_a_file_that_is_no_station_file_is_one_line(tmp_path, text, why):
    path = tmp_path / "desk.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DeviceError, match=why) as refusal:
        choice_in(str(path))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x.yaml", "a\0b", "/" + "x" * 5000])
def test_a_path_that_no_file_can_have_is_one_line(path):
    for use in (choice_in, lambda path: keep(path, Choice(cameras=("front",)))):
        with pytest.raises(DeviceError):
            use(path)


def test_what_is_missing_in_a_choice_is_said():
    assert Choice(cameras=("front",)).complaint == ""
    assert "so101_leader" in Choice(teleop=LEADER_ARM, cameras=("front",)).complaint
    assert "camera" in Choice(cameras=()).complaint
    assert Choice(robot="some robot of the future").complaint == ""


def test_another_robot_gets_all_its_cameras_and_somebody_who_can_drive_it():
    chosen = with_robot(Choice(teleop="scripted", cameras=("wrist",)), "gym:pusht")
    assert chosen.teleop == "keyboard" and chosen.cameras == ("front",)
    assert with_robot(Choice(teleop="gamepad"), "gym:pusht").teleop == "gamepad"


# ---- live values ----

def test_a_device_that_works_says_so_with_its_axes_buttons_and_own_words():
    shown = device_of(snapshot(human_axes=(0.5, -2.0, *[0.0] * 6), human_enabled=True,
                               human_buttons=0b101, human_report="01 00 ff"), SPACEMOUSE,
                      silent=False)
    assert shown.line == "SpaceMouse: works, clutch held" and shown.tone == "ready"
    assert [axis.name for axis in shown.axes] == ["x", "y", "z", "roll", "pitch", "yaw"]
    assert (shown.axes[0].text, shown.axes[0].at) == ("+0.50", 0.5) and shown.axes[1].at == -1.0
    assert shown.buttons == "0 2" and shown.report == "Raw: 01 00 ff"


def test_an_axis_that_is_no_number_is_not_drawn_as_one():
    (x, *_) = device_of(snapshot(human_axes=(float("nan"),) * 8), desk(), silent=False).axes
    assert (x.text, x.at) == (UNKNOWN, 0.0)


def test_the_axes_of_a_leader_are_its_joints_and_nobody_has_none():
    leader = device_of(snapshot(), desk(teleop="leader:so101_leader"), silent=False)
    assert leader.line.startswith("Leader so101_leader") and leader.axes[2].name == "joint 3"
    nobody = device_of(snapshot(), desk(teleop="none"), silent=False)
    assert nobody.axes == () and nobody.line == "Nobody sits here"


@pytest.mark.parametrize(("teleop", "report", "said"), [
    ("keyboard", "", "No key that drives is held"), ("keyboard", "e shift", "Held: e shift"),
    ("spacemouse", "", "No report has come yet: move it"),
    ("gamepad", "", "A gamepad tells its axes and buttons, and nothing else"),
    ("leader:so101_leader", "", "A leader arm tells its joints, and nothing else"),
    ("scripted", "", "A script drives: there is no device")])
def test_a_device_without_words_of_its_own_is_told_from_one_that_rests(teleop, report, said):
    shown = device_of(snapshot(human_report=report), desk(teleop=teleop), silent=False)
    assert shown.report == said


@pytest.mark.parametrize("status", list(DeviceStatus))
def test_every_state_of_a_device_has_a_word_and_an_icon(status):
    shown = device_of(snapshot(human_status=int(status)), desk(), silent=False)
    assert shown.line.count(":") == 1 and shown.icon in ICONS


# ---- a station that says nothing ----

def test_a_silent_stations_old_values_are_not_shown():
    held = snapshot(human_axes=(0.5,) * 8, human_enabled=True, human_buttons=7, human_report="01")
    shown = device_of(held, SPACEMOUSE, silent=True)
    assert shown.line == "SpaceMouse: not known" and shown.tone == "offline"
    assert shown.buttons == UNKNOWN and shown.report == "The station says nothing"
    assert {(axis.text, axis.at) for axis in shown.axes} == {(UNKNOWN, 0.0)}
    assert device_of(None, None, silent=True).line.startswith("Your device: not known")


def test_a_silent_stations_gauges_keep_their_places_and_lose_their_values():
    live, silent = gauges(snapshot(), missed=3), gauges(snapshot(), silent=True, missed=3)
    assert [gauge.name for gauge in silent] == [gauge.name for gauge in live]
    assert silent[-1] == live[-1]           # this window's own
    for gauge in silent[:-1]:
        assert (gauge.text, gauge.tone) == ("–", "offline") and "says nothing" in gauge.tip


def test_an_old_picture_says_why_it_is_old():
    front = STREAMS[1]
    assert caption("front", front, silent=False) == ("Front   30 Hz", "offline")
    assert caption("front", front, silent=True) == (
        "Front   Old picture: the station says nothing", "fault")
    stopped = StreamHealth("front", 0.0, 0, 3200.0)
    assert caption("front", stopped, silent=False) == ("Front   No picture for 3.2 s", "fault")
    assert why_old(front, silent=False) == why_old(None, silent=False) == ""
    assert caption("front", None, silent=False)[0] == "Front   nothing yet"
