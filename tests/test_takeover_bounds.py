"""How soon the arm is the person's, how soon it stands, how smoothly it is handed back.

The bounds T1, T2, T4, T6 and T7 of docs/tandem.md, on the real simulator under the manual clock;
`tests/bench/takeover.py` measures the same where processes hang. T3 is test_ownership.py's, T5
test_safety_behaviours.py's, T8 test_alerts.py's.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy

from policy.driving.two_speeds import Delays
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.station.commands import Arm, Pause, SetInstruction, StartPolicy, Stop
from studio.station.messages import Mode, Owner

pytestmark = pytest.mark.gl
DT_S = 0.01
THINK_S, ACT_S, PICTURE_S = 0.1, 0.03, 0.034        # a picture comes at 30 Hz
SLOW_S = 2.0


@pytest.fixture
def desk() -> Iterator[RolloutDesk]:
    made = RolloutDesk(RulePolicy(), delays=Delays(think_s=THINK_S, act_s=ACT_S))
    made.begin()
    made.ticks(80)
    yield made
    made.robot.disconnect()


def sent(rows: list[np.void]) -> np.ndarray:
    return np.array([row["sent"] for row in rows])


def test_t1_the_next_command_is_the_persons_at_every_phase_of_an_inference_of_two_seconds():
    desk = RolloutDesk(RulePolicy(), delays=Delays(think_s=0.05, act_s=SLOW_S))
    desk.begin()
    while not any(set(row["owner"].tolist()) == {Owner.POLICY} for row in desk.ticks(50)):
        assert len(desk.rows) < 2000
    for phase in range(0, 200, 25):
        desk.ticks(phase % 75)
        row, = desk.push(1)
        assert row["mode"] == Mode.HUMAN and set(row["owner"][:-1].tolist()) == {Owner.HUMAN}
        desk.ticks(15)                      # let go; whatever was planned before is void
        desk.do(Pause())
        desk.do(Arm())
        desk.do(StartPolicy())
    desk.robot.disconnect()


def test_t2_an_arm_that_a_policy_moves_slows_down_in_the_tick_of_a_stop_and_soon_stands(desk):
    info = desk.robot.info
    before = desk.rows[-1]["sent_velocity"]
    assert np.abs(before[:-1]).max() > 0.05                     # it moves
    longest_s = max(abs(v) / a + 2 * a / j for v, a, j in zip(
        before, info.max_acceleration, info.max_jerk, strict=True))
    desk.do(Stop("test"))
    rows = desk.ticks(int(np.ceil(longest_s / DT_S)) + 2)
    assert rows[0]["mode"] == Mode.STOP
    fastest = int(np.argmax(np.abs(before)))
    assert abs(rows[1]["sent_velocity"][fastest]) < abs(before[fastest])
    assert not rows[-1]["sent_velocity"].any()


def test_t4_taking_and_handing_back_change_the_command_no_faster_than_the_arm_may(desk):
    bound = np.array(desk.robot.info.max_acceleration)
    for _ in range(3):
        desk.push(15)
        desk.ticks(60)
        assert desk.mode is Mode.AUTO
    rows = desk.rows[-225:]
    modes = np.array([row["mode"] for row in rows])
    changed = np.flatnonzero(modes[1:] != modes[:-1]) + 1
    assert {Mode(modes[at]) for at in changed} == {Mode.HUMAN, Mode.HANDBACK, Mode.AUTO}
    commands = sent(rows)
    for at in changed[changed >= 2]:
        jump = np.abs(commands[at] - 2 * commands[at - 1] + commands[at - 2])
        assert np.all(jump <= bound * DT_S**2 * (1 + 1e-6) + 1e-12)


@pytest.mark.parametrize("hard", [True, False])
def test_t6_other_words_act_after_one_look_of_system_2_and_one_chunk(desk, hard):
    assert desk.driver is not None
    asked = desk.station.loop.instruction_id + 1
    desk.do(SetInstruction("put the blue cube in the bin", hard))
    most = int(np.ceil((PICTURE_S + THINK_S + 2 * ACT_S) / DT_S)) + 2
    for _ in range(most):
        row, = desk.ticks(1)
        assert row["instruction_id"] == asked                   # from the first tick on
        chunk = desk.driver.player.chunk
        if chunk is not None and chunk.instruction_id == asked:
            break
        driven = set(row["owner"].tolist()) == {Owner.POLICY}
        assert driven is not hard                               # a soft edit lets it go on
    else:
        pytest.fail(f"{most} ticks, and no plan for the new words")


def test_t7_every_tick_that_ran_is_recorded_also_while_the_arm_is_held(tmp_path: Path):
    with DemoStore.open(tmp_path / "store", write=True, create=True) as store:
        desk = RolloutDesk(RulePolicy(), delays=Delays(think_s=0.03, act_s=0.02), store=store)
        desk.begin()
        began = len(desk.rows)
        desk.ticks(40)
        desk.push(10)
        desk.do(Pause())
        desk.ticks(30)
        desk.do(Arm())
        desk.do(StartPolicy())
        desk.ticks(20)
        ran = [int(row["seq"]) for row in desk.rows[began:]]
        episode = desk.end()
        desk.robot.disconnect()
    kept = EpisodeReader(tmp_path / "store" / "data.zarr" / episode)["tick"]
    assert kept["seq"].tolist()[:len(ran)] == ran
    assert {Mode.AUTO, Mode.HUMAN, Mode.HOLD, Mode.ARMED} >= set(kept["mode"].tolist())
    assert Mode.HOLD in kept["mode"]
