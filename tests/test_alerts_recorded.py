"""An alert of a real rollout, and its answer, stand in the episode, whoever answers it."""

from pathlib import Path

import numpy as np
import pytest
from doubles.low_limits import limited
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy

from policy.driving.two_speeds import Delays
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.station.commands import AnswerAlert

pytestmark = pytest.mark.gl
TOO_LOW = 1e-6                  # for an arm that moves at all


def test_an_alert_and_its_answer_are_recorded_with_the_ticks_in_which_it_stood(tmp_path: Path):
    with DemoStore.open(tmp_path / "store", write=True, create=True) as store:
        desk = RolloutDesk(RulePolicy(), delays=Delays(think_s=0.03, act_s=0.02), store=store)
        alerts = desk.station.loop.alerts
        alerts.calibration = limited(tracking=TOO_LOW, gripper=TOO_LOW)
        desk.begin()
        desk.ticks(60)
        assert alerts.alert is not None
        first = alerts.alert
        desk.do(AnswerAlert(first.number))              # it is fine: that signal asks no more
        desk.ticks(60)
        assert alerts.alert is not None and alerts.alert.signal != first.signal
        assert not desk.station.handle(AnswerAlert(first.number)).accepted
        desk.push(20)                                   # the other one is answered by a hand
        episode = desk.end()
        desk.robot.disconnect()
    kept = EpisodeReader(tmp_path / "store" / "data.zarr" / episode)
    said = [event for event in kept.events if "alert" in event["kind"]]
    assert [event["kind"] for event in said] == ["alert", "alert answered"] * 2
    assert said[0]["signal"] == first.signal and said[0]["value"] > said[0]["limit"]
    assert [event["answer"] for event in said[1::2]] == ["false alarm", "took over"]
    tick = kept["tick"]
    stood = np.asarray(tick["alert"])
    assert set(stood[stood > 0].tolist()) == {1, 2}
    assert tick["t_mono_ns"][np.argmax(stood > 0)] == said[0]["t_mono_ns"]
