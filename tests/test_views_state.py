"""What the banner, the health bar, the checks and the buttons say about a station."""

import pytest
from doubles.snapshots import STREAMS, desk, recorder, snapshot

from studio.station.desk.link import DeskState
from studio.station.messages import Mode, Owner, StreamHealth
from studio.views.banner import banner_of
from studio.views.checks import checks_of, failed
from studio.views.controls import controls_of
from studio.views.health_bar import gauges
from studio.views.icons import icon
from studio.views.look import TONE_NAMES
from studio.views.recording_plan import Flow


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("episode", ["", "20261123T001000-00000001"])
def test_every_state_has_a_word_an_icon_and_a_tone_that_exist(mode, episode):
    banner = banner_of(snapshot(mode, episode=episode), desk(), silent=False)
    assert banner.word and icon(banner.icon)
    assert banner.tone in TONE_NAMES


def test_two_modes_never_share_a_word():
    words = [banner_of(snapshot(mode), desk(), silent=False).word for mode in Mode]
    assert len(set(words)) == len(words)


def test_an_open_episode_says_how_long_it_is_and_practice_says_that_nothing_is_kept():
    recording = banner_of(snapshot(Mode.HUMAN, episode="e", episode_s=8.43), desk(), False)
    assert (recording.word, recording.tone, recording.time) == ("Recording", "recording", "00:08.4")
    practice = banner_of(snapshot(Mode.HUMAN, episode="e", practice=True), desk(), False)
    assert practice.word == "Practice" and "kept" in practice.detail


def test_a_stop_is_shown_above_an_open_episode_and_says_why():
    banner = banner_of(snapshot(Mode.STOP, episode="e", reason="the operator pressed stop"),
                       desk(), False)
    assert banner.word == "Stopped" and banner.recording
    assert "operator pressed stop" in banner.detail and "e-arm" in banner.detail


def test_a_silent_station_is_never_shown_as_if_it_were_live():
    assert banner_of(None, None, True).word == "Offline"
    assert banner_of(snapshot(Mode.ARMED), desk(), True).word == "Silent"
    assert banner_of(snapshot(Mode.ARMED), desk(problem="no gamepad was found"), True).detail \
        == "No gamepad was found"
    assert banner_of(snapshot(), desk(busy="starting the robot"), False).word == "Starting"


def test_the_banner_says_who_drives():
    owners = (int(Owner.POLICY), int(Owner.HOLD))
    assert banner_of(snapshot(Mode.AUTO, owners=owners), desk(), False).driver == "Policy"
    assert banner_of(snapshot(Mode.ARMED), desk(), False).driver == "Nobody"


def gauge(name, **changes):
    return next(g for g in gauges(snapshot(**changes)) if g.name == name)


def test_every_rate_the_lateness_and_the_disk_are_shown():
    names = [g.name for g in gauges(snapshot())]
    assert names == ["Control", "Late", "Arm", "Front", "Wrist", "Recorder", "Disk", "Policy",
                     "Screen"]
    assert gauge("Front").text == "30 Hz" and gauge("Disk").text == "212 GB"


@pytest.mark.parametrize(("name", "changes", "word"), [
    ("Front", dict(streams=(StreamHealth("front", 28.0, 7, 12.0),)), "7 dropped"),
    ("Front", dict(streams=(StreamHealth("front", 0.0, 0, 2500.0),)), "silent"),
    ("Front", dict(streams=(StreamHealth("front", 0.0, 0, -1.0),)), "nothing yet"),
    ("Control", dict(control_hz=71.0), "slow"),
    ("Late", dict(lateness_p99_ms=14.0), "high"),
    ("Disk", dict(recorder=recorder(disk_free_bytes=1_500_000_000)), "low"),
    ("Disk", dict(recorder=recorder(disk_free_bytes=0)), "full"),
    ("Recorder", dict(recorder=recorder(alive=False)), "off"),
    ("Recorder", dict(recorder=recorder(overflowed=3)), "3 lost"),
    ("Recorder", dict(recorder=recorder(error="the disk is full")), "trouble"),
])
def test_what_is_not_well_says_so_in_words_and_not_by_colour_alone(name, changes, word):
    bad = gauge(name, **changes)
    assert word in bad.text and bad.tone in ("warning", "fault")


def test_failed_checks_say_what_to_do():
    assert failed(checks_of(snapshot(), desk(), silent=False)) == ()
    silent = (StreamHealth("front", 0.0, 0, 9000.0), *STREAMS[2:])
    (camera,) = failed(checks_of(snapshot(streams=silent), desk(), silent=False))
    assert "front" in camera.remedy and "replug" in camera.remedy
    (stopped,) = failed(checks_of(snapshot(Mode.STOP), desk(), silent=False))
    assert "Re-arm" in stopped.remedy
    (station,) = failed(checks_of(None, desk(problem="the robot is off."), silent=True))
    assert station.remedy == "The robot is off"


def test_a_missing_recorder_is_advice_because_practice_works_without():
    checks = checks_of(snapshot(recorder=recorder(alive=False)), desk(), silent=False)
    assert failed(checks) == ()
    assert any(not check.passed for check in checks)


NOTHING_DONE, HEALTHY = Flow(), desk()


def controls(state, flow=NOTHING_DONE, at: DeskState | None = HEALTHY, **how):
    return controls_of(state, at, flow, **dict(silent=False, practice=False, resettable=True)
                       | how)


def test_stop_works_always_even_when_nothing_else_does():
    for state, silent in ((None, True), (snapshot(), True), (snapshot(Mode.FAULT), False)):
        assert controls(state, silent=silent).stop == ""
    assert controls(snapshot(), silent=True).record != ""


@pytest.mark.parametrize("said", [None, snapshot(), snapshot(Mode.HUMAN, episode="e")])
def test_a_silent_station_can_be_brought_back_by_other_devices(said):
    """Whatever it said last: a device that could not be opened must not be the last choice."""
    wrong = desk(problem="the station did not start: no SpaceMouse is plugged in")
    silent = controls(said, at=wrong, silent=True)
    assert (silent.devices, silent.stop) == ("", "")
    others = {name: getattr(silent, name) for name in silent.__struct_fields__
              if name not in ("devices", "stop")}
    assert all(others.values()), others


@pytest.mark.parametrize("silent", [False, True])
def test_all_but_the_stop_waits_for_a_desk_that_is_starting_something(silent):
    busy = controls(snapshot(), at=desk(busy="starting the robot"), silent=silent)
    assert busy.devices == busy.arm == busy.record == "Wait: starting the robot"
    assert busy.stop == ""
    assert controls(snapshot(), at=None, silent=silent).devices == "The desk says nothing"


def test_buttons_say_why_they_do_not_work():
    idle, recording = controls(snapshot()), controls(snapshot(Mode.HUMAN, episode="e"))
    assert idle.record == "Hold Arm first" and controls(snapshot(Mode.ARMED)).record == ""
    assert "No episode is open" in idle.end
    assert recording.end == "" and "end or discard" in recording.record
    assert "end or discard" in recording.devices
    assert "by hand" in controls(snapshot(), resettable=False).new_scene


def test_without_a_recorder_only_practice_may_begin():
    without = snapshot(Mode.ARMED, recorder=recorder(alive=False))
    assert "practice" in controls(without).record
    assert controls(without, practice=True).record == ""
