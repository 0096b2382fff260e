"""What was planned before somebody took the arm, and finished after they gave it back.

The same story for LeRobot 0.6.1's real-time-chunking engine and for us: an inference is under way,
a person takes the arm for a moment, the engine is reset and goes on, and then the inference ends.
LeRobot's engine plays what it gave; ours never does. Nothing is left to chance here: each
inference ends when the test says so.
"""

import threading
from types import SimpleNamespace

import pytest
import torch
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy

from policy.driving.two_speeds import Delays
from studio.station.messages import Mode, Owner

WAIT_S = 30.0
CHUNK = 50


class GatedPolicy:
    """Answers what it was shown, once it is let."""

    config = SimpleNamespace()

    def __init__(self) -> None:
        self.began, self.may_end = threading.Semaphore(0), threading.Semaphore(0)

    def supports_rtc(self) -> bool:
        return True

    def reset(self) -> None:
        pass

    def predict_action_chunk(self, batch, inference_delay=0, prev_chunk_left_over=None):
        shown = float(batch["observation.state"].flatten()[0])
        self.began.release()
        assert self.may_end.acquire(timeout=WAIT_S)
        return torch.full((1, CHUNK, 1), shown)


class Untouched:
    """Hands on what it gets, as a pre- and postprocessor."""

    steps = ()

    def __call__(self, values):
        return values

    def reset(self) -> None:
        pass


def begun(policy: GatedPolicy) -> None:
    assert policy.began.acquire(timeout=WAIT_S)


def next_action(engine) -> float:
    """The next that there is."""
    pause = threading.Event()
    for _ in range(round(WAIT_S / 0.002)):
        if (action := engine.get_action(None)) is not None:
            return float(action.flatten()[0])
        pause.wait(0.002)
    raise AssertionError("no action came")


@pytest.fixture
def lerobots():
    """LeRobot's engine with a policy that is gated, and the policy."""
    rtc = pytest.importorskip("lerobot.rollout.inference.rtc")
    from lerobot.policies.rtc.configuration_rtc import RTCConfig

    policy = GatedPolicy()
    robot = SimpleNamespace(robot_type="one_joint", action_features={"a.pos": float})
    features = {"observation.state": {"dtype": "float32", "shape": (1,), "names": ["a.pos"]}}
    config = RTCConfig()
    config.enabled = True
    engine = rtc.RTCInferenceEngine(policy, Untouched(), Untouched(), robot, config, features,
                                    "task", 30.0, "cpu", rtc_queue_threshold=30)
    engine.start()
    yield engine, policy
    engine.pause()
    for _ in range(5):
        policy.may_end.release()
    engine.stop()


def test_lerobots_engine_plays_what_was_planned_before_the_arm_was_taken(lerobots):
    engine, policy = lerobots
    before, after = 1.0, 2.0
    engine.notify_observation({"a.pos": before})
    engine.resume()
    begun(policy)
    policy.may_end.release()                            # the first chunk
    assert next_action(engine) == before
    for _ in range(CHUNK - 31):                         # … until it plans the next one
        next_action(engine)
    begun(policy)

    engine.pause()                                      # a person takes the arm,
    engine.reset()                                      # and gives it back somewhere else
    engine.notify_observation({"a.pos": after})
    engine.resume()
    assert engine.get_action(None) is None
    policy.may_end.release()                            # what was under way ends now
    stale = [next_action(engine) for _ in range(18)]
    assert stale == [before] * 18                       # 0.6 s at its 30 Hz


def test_ours_never_plays_it():
    """Inferences take 0.3 s; the arm is taken at every phase of one, for 50 ms of pushing."""
    desk = RolloutDesk(RulePolicy(), delays=Delays(think_s=0.02, act_s=0.3))
    desk.begin()
    desk.ticks(100)
    assert desk.driver is not None
    player, released_ns = desk.driver.player, 0
    for phase in range(0, 30, 3):
        desk.ticks(40 + phase)
        assert desk.mode is Mode.AUTO
        desk.push(5)
        played = 0
        for _ in range(120):
            row, = desk.ticks(1)
            if Mode(row["mode"]) is Mode.HUMAN:
                released_ns = int(row["t_mono_ns"])
            if set(row["owner"].tolist()) == {Owner.POLICY}:
                played += 1
                chunk = player.chunk
                assert chunk is not None and chunk.observation_ns > released_ns
                assert chunk.epoch == row["epoch"]
        assert played > 30
    assert player.played.refused > 0                    # some did end after the arm was taken
