"""What the web desk says of a station: plainly, for onlookers, and never by colour alone."""

from pathlib import Path

import msgspec
import pytest
from doubles.snapshots import STREAMS, desk, recorder, snapshot

from recorders.clock import SystemClock
from studio.station.desk.link import UseDevices
from studio.station.messages import Mode, Owner
from studio.views.icons import ICONS
from studio.views.look import DARK, LIGHT
from studio.web import pieces
from studio.web.assets import SERVED
from studio.web.desk_feed import DeskFeed, DeskView
from studio.web.jobs import JobView
from studio.web.library import Library
from studio.web.live import banner_for_onlookers, camera_tiles, phase_of, problems_of, status_of
from studio.web.page import TABS
from studio.web.style import style_sheet
from studio.web.tabs.devices import Given, request_of, shown
from studio.web.tabs.export import (
    EVERYTHING,
    PICKED,
    SUCCESSES,
    chosen,
    export_words,
    rerun_words,
)

ASSETS = Path(__file__).parent.parent / "ui_assets" / "web"


def view(**changes: object) -> DeskView:
    usual = dict(attached=True, snapshot=snapshot(), state=desk(), silent=False,
                 pictures={"wrist": b"", "front": b""})
    return DeskView(**usual | changes)      # type: ignore[arg-type]


@pytest.mark.parametrize("mode", list(Mode))
def test_every_state_has_a_word_an_icon_and_a_driver_for_people_who_only_look(mode):
    shown_now = banner_for_onlookers(view(snapshot=snapshot(mode, owners=(int(Owner.HUMAN),),
                                                            reason="joint 3 is too fast")))
    assert shown_now.word and shown_now.icon in ICONS
    html = pieces.banner(shown_now)
    assert shown_now.word in html and "You" not in html and "old Arm" not in html
    assert ("too fast" in html) == (mode in (Mode.STOP, Mode.FAULT, Mode.HOLD))


def test_without_a_desk_the_banner_says_how_to_start_one():
    shown_now = banner_for_onlookers(DeskView())
    assert shown_now.word == "No desk" and "tandem" in shown_now.detail


def test_a_station_that_fell_silent_is_said_on_the_banner_and_on_every_picture():
    quiet = view(silent=True)
    assert banner_for_onlookers(quiet).word == "Silent"
    assert all("old picture" in tile.said.lower() for tile in camera_tiles(quiet))


def test_nothing_that_a_silent_station_said_is_shown_as_if_it_were_live():
    held = snapshot(human_axes=(0.5,) * 8, position=(0.25,) * 8, speed_scale=0.37)
    live, old = (status_of(view(snapshot=held, silent=silent), Library(""))["html"]
                 for silent in (False, True))
    for place, value in (("gauges", "30 Hz"), ("devices", "+0.50"), ("devices", "+0.250"),
                         ("devices", "30.0 Hz"), ("scene", "37%")):
        assert value in live[place] and value not in old[place]


def test_devices_that_could_not_be_opened_are_a_problem_that_is_said():
    refused = desk(refused="no SpaceMouse is plugged in; back to sim and keyboard")
    assert problems_of(view(state=refused)) == [
        "No SpaceMouse is plugged in; back to sim and keyboard"]


def test_a_camera_that_stopped_is_said_on_its_picture_only():
    streams = tuple(msgspec.structs.replace(stream, age_ms=3200.0) if stream.name == "wrist"
                    else stream for stream in STREAMS)
    front, wrist = camera_tiles(view(snapshot=snapshot(streams=streams)))
    assert front.said == "" and wrist.said == "No picture for 3.2 s"


def test_a_full_disk_and_the_desks_own_trouble_are_problems():
    full = snapshot(recorder=recorder(error="no space is left."))
    said = problems_of(view(snapshot=full, state=desk(problem="the robot does not answer")))
    assert said == ["The robot does not answer", "No space is left"]


def test_the_phase_of_a_task_has_its_name():
    assert phase_of(view()) and not phase_of(view()).isdigit()
    assert phase_of(view(snapshot=snapshot(task="no such task"))) == ""


def test_the_status_tells_when_episodes_or_devices_are_others(tmp_path):
    library = Library(str(tmp_path))
    first = status_of(view(), library)
    assert first == status_of(view(), library)
    other = status_of(view(state=desk(teleop="spacemouse")), library)
    assert other["revisions"]["devices"] != first["revisions"]["devices"]
    assert other["revisions"]["episode-list"] == first["revisions"]["episode-list"]


def test_texts_of_people_and_devices_are_never_html():
    nasty = "<script>alert(1)</script>"
    html = str(status_of(view(snapshot=snapshot(
        Mode.FAULT, task=nasty, instruction=nasty, reason=nasty, human_report=nasty,
        problems=(nasty,), recorder=recorder(error=nasty)), state=desk(problem=nasty)),
        Library("")))
    assert "<script" not in html and "&lt;script" in html


def test_a_running_job_can_be_cancelled_and_says_its_command():
    job = JobView(number=3, title="4 episodes", command="tandem data export", state="running",
                  done=1, total=4, said="first", seconds=2.0)
    html = pieces.jobs([job])
    assert 'data-cancel="3"' in html and "1 of 4" in html and "tandem data export" in html
    assert "data-cancel" not in pieces.jobs([msgspec.structs.replace(job, state="failed")])
    assert "Failed" in pieces.jobs([msgspec.structs.replace(job, state="failed")])


def test_devices_are_asked_for_with_their_options_and_shown_as_they_are():
    given = Given("sim", cameras=["front"], teleop="keyboard", robot_options='{"depth":false}')
    request = request_of(given)
    assert request == UseDevices(robot="sim", teleop="keyboard",
                                 robot_options={"depth": False, "cameras": ["front"]})
    assert shown(desk(robot_options=request.robot_options)) == given
    assert shown(None) == Given()


def test_real_devices_are_asked_for_in_lines_and_shown_as_they_are():
    given = Given("so101_follower", "port=/dev/ttyACM0 id=mine model=arm.xml",
                  "front opencv index_or_path=0 fps=30", [], "leader", "so101_leader",
                  "port=/dev/ttyACM1", '{"latency_ms":{"front":20}}')
    request = request_of(given)
    assert request == UseDevices(
        robot="so101_follower", teleop="leader:so101_leader",
        robot_options={"fields": {"port": "/dev/ttyACM0", "id": "mine"}, "model": "arm.xml",
                       "cameras": {"front": {"type": "opencv", "index_or_path": 0, "fps": 30}},
                       "latency_ms": {"front": 20}},
        teleop_options={"fields": {"port": "/dev/ttyACM1"}})
    used = shown(desk(robot=request.robot, robot_options=request.robot_options,
                      teleop=request.teleop, teleop_options=request.teleop_options))
    assert used == given


@pytest.mark.parametrize(("given", "said"), [
    (Given("", teleop="keyboard"), "Choose"), (Given("sim"), "Choose"),
    (Given("sim", teleop="keyboard"), "at least one camera"),
    (Given("sim", teleop="leader", cameras=["front"]), "so101_leader"),
    (Given("sim", "port=/dev/x", "", ["front"], "keyboard"), "sim is simulated"),
    (Given("so101_follower", "nonsense", teleop="keyboard"), "NAME=VALUE"),
    (Given("so101_follower", "", "front", teleop="keyboard"), "types are realsense, "),
    (Given("sim", "", "", ["front"], "keyboard", robot_options="no json"), "robot"),
    (Given("sim", "", "", ["front"], "keyboard", teleop_options="[1]"), "teleoperator")])
def test_options_that_are_none_are_said(given, said):
    with pytest.raises(ValueError, match=said):
        request_of(given)


def test_an_export_takes_the_episodes_that_were_meant_and_none_from_the_trash(tmp_path):
    from doubles.snapshots import summary

    from studio.views.episode_rows import rows_of
    rows = rows_of([summary(1), summary(2, label="failure"), summary(3, trashed=True)])
    one, two, three = (row.episode for row in rows)
    assert chosen(rows, SUCCESSES, ()) == [one]
    assert chosen(rows, EVERYTHING, ()) == [one, two]
    assert chosen(rows, PICKED, (two, three)) == [two]


def test_an_export_is_a_command_that_a_person_could_type():
    assert export_words("/s", ["a"], "/t", 20, " 96x128 ", sharp=True) == [
        "data", "export", "/s", "a", "--lerobot", "/t", "--fps", "20", "--size", "96x128",
        "--sharp"]
    assert rerun_words("/s", ["a", "b"]) == ["data", "rrd", "/s", "a", "b"]


def test_without_a_desk_a_command_is_refused_in_words():
    reply = DeskFeed(None, SystemClock()).ask_desk(
        request_of(Given("sim", cameras=["front"], teleop="keyboard")))
    assert not reply.accepted and "tandem" in reply.reason


def test_the_style_sheet_has_every_tone_of_both_palettes_and_calls_nobody():
    sheet = style_sheet()
    for palette in (LIGHT, DARK):
        assert all(tone.fill in sheet and tone.ink in sheet for tone in palette.tones.values())
    files = [sheet, *((ASSETS / name).read_text() for name in ("desk.css", "desk.js",
                                                               "viewer.html"))]
    assert all("http://" not in file.replace("rerun+http://", "") and "https://" not in file
               for file in files)


def test_what_is_served_of_the_disk_is_a_short_list_and_every_tab_has_an_icon():
    assert all(name.startswith(("web/", "fonts/")) for name in SERVED)
    assert all(icon_name in ICONS for _, icon_name, _ in TABS)
