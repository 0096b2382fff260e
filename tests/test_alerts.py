"""Alerts ask for help when a signal is larger than in successes, and never more than once."""

import msgspec
import numpy as np
import pytest

from policy.interfaces import Chunk
from policy.monitoring.band import Band
from policy.monitoring.calibration import Calibration, Rollout, calibrate
from policy.monitoring.novelty import SIGNATURE
from policy.monitoring.signals import SIGNALS
from studio.station.loop.alerts import CALM_NS, AlertMonitor
from studio.station.messages import Mode

TICK_NS = 10_000_000
ARM = np.zeros(1, np.dtype([("position", "<f8", (8,))]))[0]
REST = np.zeros(8)


def calibration(**limits: float) -> Calibration:
    """Limits for some signals, none for the others, and 20 s for a success."""
    row = [limits.get(name) for name in SIGNALS]
    return Calibration(band=Band(signals=SIGNALS, bin_s=0.25, usual=[row], spread=[[0.0] * 7],
                                 reach=1.0, longest_s=20.0, alpha=0.05, successes=40),
                       familiar=None)


class Watching:
    """A monitor, and ticks for it."""

    def __init__(self, **limits: float) -> None:
        self.monitor, self.now_ns, self.news = AlertMonitor(), 1_000_000_000, []
        self.monitor.calibration = calibration(**limits)

    def ticks(self, seconds: float, *, mode=Mode.AUTO, force=0.0, chunk=None, words=0):
        for _ in range(round(seconds * 100)):
            self.now_ns += TICK_NS
            self.monitor.watch(self.now_ns, mode, chunk, ARM, REST,
                               np.array([force, 0, 0, 0, 0, 0.0]), words)
            self.news += self.monitor.news()
        return self.monitor.alert


def answers(watching: Watching) -> list[str]:
    return [fields["answer"] for kind, fields in watching.news if kind == "alert answered"]


def test_a_signal_above_its_limit_raises_one_alert_that_stands():
    watching = Watching(force=5.0)
    assert watching.ticks(1.0, force=4.0) is None
    alert = watching.ticks(1.0, force=9.0)
    assert alert is not None and (alert.signal, alert.number, alert.limit) == ("force", 1, 5.0)
    assert [kind for kind, _ in watching.news] == ["alert"]
    assert watching.news[0][1]["value"] == pytest.approx(9.0)


def test_it_goes_away_when_all_is_back_for_a_while():
    watching = Watching(force=5.0)
    watching.ticks(0.1, force=9.0)
    assert watching.ticks(0.9 * CALM_NS / 1e9) is not None
    assert watching.ticks(0.2 * CALM_NS / 1e9) is None
    assert answers(watching) == ["went away"]


@pytest.mark.parametrize(("mode", "answer"), [
    (Mode.HUMAN, "took over"), (Mode.SHARED, "took over"), (Mode.HOLD, "held"),
    (Mode.STOP, "held")])
def test_what_the_operator_does_answers_it(mode, answer):
    watching = Watching(force=5.0)
    watching.ticks(0.1, force=9.0)
    assert watching.ticks(0.1, mode=mode, force=9.0) is None
    assert answers(watching) == [answer]


def test_other_words_answer_it_and_the_signal_may_raise_it_again():
    watching = Watching(force=5.0)
    watching.ticks(0.1, force=9.0)
    watching.ticks(0.01, force=9.0, words=1)
    assert answers(watching) == ["new words"]
    alert = watching.ticks(0.1, force=9.0, words=1)
    assert alert is not None and alert.number == 2


def test_a_false_alarm_mutes_its_signal_for_this_scene_only():
    watching = Watching(force=5.0)
    watching.ticks(0.1, force=9.0)
    assert watching.monitor.answer(1, "false alarm") == ""
    assert watching.ticks(1.0, force=9.0) is None
    assert "does not stand" in watching.monitor.answer(1, "false alarm")
    watching.monitor.begin()
    assert watching.ticks(0.1, force=9.0) is not None


def test_an_episode_that_ends_ends_its_alert():
    watching = Watching(force=5.0)
    watching.ticks(0.1, force=9.0)
    watching.monitor.close()
    assert watching.monitor.alert is None
    assert watching.monitor.news() == [("alert answered", {"alert": 1, "answer": "ended"})]


def test_time_counts_only_while_the_policy_drives():
    watching = Watching()
    watching.ticks(19.0)
    watching.ticks(30.0, mode=Mode.HUMAN)
    assert watching.ticks(0.9) is None
    alert = watching.ticks(0.2)
    assert alert is not None and alert.signal == "elapsed"


def test_an_uncalibrated_rollout_tells_its_signals_and_raises_nothing():
    watching = Watching()
    watching.monitor.calibration = None
    assert watching.ticks(0.1, force=100.0) is None
    assert watching.monitor.signals[SIGNALS.index("force")] == 100.0


def test_a_plan_that_jumps_raises_the_alert_of_disagreement():
    def chunk(x: float, first_ns: int) -> Chunk:
        targets = np.tile([x, 0, 0.2, 1, 0, 0, 0, 1.0], (16, 1))
        return Chunk(targets=targets, space="tool", first_ns=first_ns, step_ns=33_000_000,
                     observation_ns=first_ns, latent_id=1, latent_ns=0, entropy=0.2)

    watching = Watching(disagreement=0.01)
    assert watching.ticks(0.1, chunk=chunk(0.4, 0)) is None
    assert watching.ticks(0.1, chunk=chunk(0.405, 132_000_000)) is None
    alert = watching.ticks(0.1, chunk=chunk(0.45, 264_000_000))
    assert alert is not None and alert.signal == "disagreement"


def successes(rng, count: int, *, away: float = 0.0) -> list[Rollout]:
    made = []
    for _ in range(count):
        ticks = int(rng.integers(300, 500))
        signals = np.abs(rng.standard_normal((ticks, len(SIGNALS)))).astype(np.float32)
        signatures = np.repeat(rng.standard_normal((-(-ticks // 14), SIGNATURE)) + away, 14,
                               axis=0)[:ticks]
        made.append(Rollout(np.arange(ticks) / 100, signals, signatures))
    return made


def test_a_calibration_is_kept_and_read_back(tmp_path):
    made = calibrate(successes(np.random.default_rng(0), 66), weights_version=7, stores=("a",))
    made.save(tmp_path)
    assert Calibration.load(tmp_path) == made
    assert made.familiar is not None and made.band.successes == 66
    assert Calibration.load(tmp_path / "nowhere") is None
    (tmp_path / "alerts.json").write_bytes(msgspec.json.encode(made)[:-9])
    with pytest.raises(ValueError, match="calibrate again"):
        Calibration.load(tmp_path)


def test_a_policy_without_latents_is_calibrated_without_novelty():
    rollouts = [msgspec.structs.replace(one, signatures=np.full_like(one.signatures, np.nan))
                for one in successes(np.random.default_rng(1), 44)]
    assert calibrate(rollouts).familiar is None
