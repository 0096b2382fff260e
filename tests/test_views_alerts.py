"""The alert lamp: whether the policy asks for help, why, and how near its signals are."""

import math

import pytest
from doubles.snapshots import snapshot

from policy.monitoring.signals import SIGNALS
from studio.station.messages import Alert, Mode, PolicyHealth
from studio.views.alert_lamp import alert_lamp
from studio.views.icons import ICONS
from studio.views.recording_flow import follow
from studio.views.recording_plan import Flow, Plan
from studio.web import tandem_pieces

SAID = dict.fromkeys(SIGNALS, math.nan) | {"force": 4.5, "elapsed": 2.0, "tracking": 0.001}
MOST = dict.fromkeys(SIGNALS, math.inf) | {"force": 5.0, "elapsed": 20.0}
ALERT = Alert(3, "force", "the wrist feels more than in successes", 9.0, 5.0, 700)
PLAN = Plan(task="put-cube-in-bin")


def watched(mode: Mode = Mode.AUTO, **changes):
    usual = {"policy": PolicyHealth(alive=True), "signals": tuple(SAID.values()),
             "signal_limits": tuple(MOST.values())}
    return snapshot(mode, **usual | changes)


def test_a_quiet_rollout_shows_the_signal_that_is_nearest_to_its_limit():
    lamp = alert_lamp(watched(), silent=False)
    assert (lamp.word, lamp.number) == ("No alert", 0)
    assert lamp.nearest is not None
    assert (lamp.nearest.text, lamp.nearest.tone) == ("4.5 of 5.0 N", "warning")
    assert lamp.nearest.share == pytest.approx(0.9)
    texts = {bar.name: bar.text for bar in lamp.bars}
    assert texts["Arm lags"] == "0.001 rad, no limit" and texts["Unsure"] == "–"


def test_an_alert_says_why_and_by_how_much():
    lamp = alert_lamp(watched(alert=ALERT), silent=False)
    assert (lamp.word, lamp.icon, lamp.number) == ("Asks for help", "bell", 3)
    assert lamp.says == ("The wrist feels more than in successes: 9.0 N, at most 5.0 N in "
                         "successes")
    assert lamp.nearest is not None and lamp.nearest.text == "9.0 of 5.0 N"


@pytest.mark.parametrize(("mode", "changes", "word"), [
    (Mode.HUMAN, {"alert": ALERT}, "Does not watch"), (Mode.AUTO, {"policy": None}, "–"),
    (Mode.AUTO, {"signal_limits": ()}, "Not watched"), (Mode.HANDBACK, {}, "No alert")])
def test_a_lamp_that_is_out_says_why(mode, changes, word):
    lamp = alert_lamp(watched(mode, **changes), silent=False)
    assert lamp.word == word and not lamp.number
    assert lamp.icon in ICONS and (lamp.says or lamp.bars)
    assert alert_lamp(watched(), silent=True).word == "–"


def test_an_alert_is_heard_once_and_the_next_one_again():
    first = follow(Flow(), PLAN, watched(alert=ALERT), 0)
    assert first.cues == ("alert",) and "9.0 N" in first.notice
    assert follow(first.flow, PLAN, watched(alert=ALERT), 1).cues == ()
    other = Alert(4, "elapsed", "it takes longer than successes did", 21.0, 20.0, 900)
    assert follow(first.flow, PLAN, watched(alert=other), 2).cues == ("alert",)


def test_a_page_shows_every_signal_with_an_icon_and_its_numbers():
    shown = tandem_pieces.alert(alert_lamp(watched(alert=ALERT), silent=False))
    assert shown.count('class="axis signal') == len(SIGNALS)
    assert "Asks for help" in shown and "4.5 of 5.0 N" in shown and "width:90.0%" in shown
