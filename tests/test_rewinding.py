"""Going back: exactly in simulation, along the way elsewhere, and nothing planned is left over."""

import numpy as np
import pytest
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy
from doubles.tandem_loop import TandemLoop

from studio.station.commands import Pause, Rewind, SetInstruction, StartPolicy, Stop
from studio.station.loop.ownership import Event
from studio.station.messages import Mode, Owner


def driven(ticks: int = 130) -> RolloutDesk:
    """A policy has driven for a while."""
    desk = RolloutDesk(RulePolicy())
    desk.begin()
    desk.ticks(ticks)
    assert desk.mode is Mode.AUTO
    return desk


def test_a_simulator_is_back_in_the_very_state_of_then_and_the_arm_holds_there():
    desk = driven()
    tick = int(desk.rows[-100]["seq"])
    kept = desk.robot._moments._kept
    moment = [one for one in kept if one.stamp_ns <= desk.rows[-100]["t_mono_ns"]][-1]
    desk.do(Rewind(to_tick=tick))
    assert np.array_equal(desk.robot.world.state, moment.saved.state)
    assert np.array_equal(desk.robot.world.target, moment.saved.target)
    rows = desk.ticks(50)
    assert desk.mode is Mode.ARMED
    assert {int(owner) for row in rows for owner in row["owner"]} == {Owner.HOLD}
    assert np.allclose(rows[-1]["sent_velocity"], 0.0)
    assert {int(row["rewinds"]) for row in rows} == {1}
    assert 0 <= tick - next(int(row["seq"]) for row in desk.rows
                            if row["t_mono_ns"] == rows[0]["rewound_ns"]) <= 6


def test_what_was_planned_before_going_back_is_never_played():
    desk = driven()
    assert desk.driver is not None
    epoch, taken = desk.station.loop.ownership.epoch, desk.driver.player.played.taken
    looked, policy = desk.driver.speeds.usage.system2_runs, desk.driver.speeds.policy
    before = desk.driver.player.chunk
    assert before is not None
    desk.do(Rewind(1.0))
    assert desk.station.loop.ownership.epoch > epoch
    desk.driver.player.offer(before)                    # it arrives late
    desk.do(StartPolicy())
    desk.ticks(1)
    assert desk.driver.player.played.taken == taken
    now_ns = desk.rows[-1]["t_mono_ns"]
    desk.ticks(40)
    assert desk.driver.player.played.taken > taken
    after = desk.driver.player.chunk
    assert after is not None and after.observation_ns >= now_ns
    assert after.latent_ns >= now_ns                                    # System 2 has looked anew,
    assert desk.driver.speeds.usage.system2_runs > looked > 0           # and counts go on
    assert policy.seeds[-1] == policy.seeds[0] + 1                      # it is another try


def test_a_person_corrects_from_there_and_the_arm_then_waits_for_them():
    desk = driven()
    desk.do(Rewind(1.0))
    rows = desk.push(30)
    assert desk.mode is Mode.HUMAN
    assert {int(row["intervention"]) for row in rows[1:]} == {1}
    desk.ticks(30)
    assert desk.mode is Mode.ARMED
    desk.do(StartPolicy())
    desk.ticks(2)
    assert desk.mode is Mode.AUTO


def test_going_back_twice_goes_back_further_and_standing_is_no_way():
    desk = driven(250)
    desk.do(Rewind(1.0))
    first = int(desk.ticks(100)[-1]["rewound_ns"])
    desk.do(Rewind(1.0))
    second = int(desk.ticks(1)[-1]["rewound_ns"])
    assert 0.9e9 <= first - second <= 1.2e9


def test_the_judge_keeps_the_words_that_hold_now():
    desk = driven()
    desk.do(SetInstruction("put the blue cube in the bin"))
    desk.ticks(5)
    desk.do(Rewind(1.0))
    assert desk.robot.world.run.instruction == "put the blue cube in the bin"


def test_one_cannot_go_back_to_what_was_not_or_is_not_kept():
    desk = RolloutDesk(RulePolicy())
    assert "not driven yet" in desk.station.handle(Rewind()).reason
    desk.begin()
    desk.ticks(20)
    assert "not past" in desk.station.handle(Rewind(to_tick=10_000)).reason
    assert "not kept" in desk.station.handle(Rewind(to_tick=0)).reason
    assert "above 0" in desk.station.handle(Rewind(-1.0)).reason
    desk.do(Stop())
    assert "re-arm" in desk.station.handle(Rewind(0.1)).reason


def test_a_held_arm_is_freed_by_going_back():
    desk = driven()
    desk.do(Pause())
    desk.ticks(5)
    desk.do(Rewind(1.0))
    desk.ticks(1)
    assert desk.mode is Mode.ARMED


# ---- an arm that is no simulator -----------------------------------------------------------------

class ArmOnItsWay(TandemLoop):
    """An arm without a world: it must drive back. Its rows are kept."""

    def __init__(self) -> None:
        self.rows: list[np.void] = []
        super().__init__()

    def on_tick(self, tick) -> None:
        """Keep the row, and check it."""
        self.rows.append(tick.row[0])
        super().on_tick(tick)

    def drive(self, ticks: int) -> None:
        """The hand moves the arm to the side and up."""
        self.hand.twist = (0.0, 0.1, 0.05, 0.0, 0.0, 0.1)
        self.push(on=True)
        self.tick(ticks)
        self.push(on=False)
        self.tick(40)

    def until(self, mode: Mode) -> int:
        """Ticks until a mode."""
        for count in range(2000):
            if self.loop.ownership.mode is mode:
                return count
            self.tick()
        raise AssertionError(f"not {mode.name} after 20 s")


def test_an_arm_drives_back_along_its_way_slowly_and_then_holds():
    arm = ArmOnItsWay()
    arm.drive(200)
    begun = len(arm.rows)
    assert arm.rewind(1.0).value == "1.00"
    ticks = arm.until(Mode.ARMED)
    way = np.array([row["sent"] for row in arm.rows[:begun]])
    back = np.array([row["sent"] for row in arm.rows[begun:]])
    off = [np.abs(way - sent).max(axis=1).min() for sent in back]
    assert max(off) < 0.01                                      # rad: on the way it came
    assert 150 < ticks < 300                                    # half as fast
    assert {int(owner) for row in arm.rows[begun:-1] for owner in row["owner"]} <= {
        Owner.SCRIPT, Owner.HOLD}
    goal = way[[int(row["t_mono_ns"]) for row in arm.rows].index(int(arm.rows[-1]["rewound_ns"]))]
    assert np.abs(back[-1] - goal).max() < 0.005
    assert arm.rows[-1]["rewinds"] == 1


@pytest.mark.parametrize(("end", "mode"), [("hand", Mode.HUMAN), ("gripper", Mode.HUMAN),
                                           ("pause", Mode.HOLD), ("stop", Mode.STOP)])
def test_a_hand_a_pause_and_a_stop_end_the_drive_back_at_once(end, mode):
    arm = ArmOnItsWay()
    arm.drive(200)
    assert arm.rewind(1.5).accepted
    arm.tick(60)
    assert arm.loop.ownership.mode is Mode.REWIND
    if end == "hand":
        arm.push(on=True)
    elif end == "gripper":
        arm.press(0.0)
    else:
        arm.happen(Event.PAUSE if end == "pause" else Event.STOP)
    arm.tick()
    assert arm.loop.ownership.mode is mode
    assert arm.rows[-1]["rewinds"] == 1                         # as far as it came
    assert not arm.loop.way_back.driving_back


def test_who_holds_the_device_is_asked_to_let_go_of_it_first():
    arm = ArmOnItsWay()
    arm.push(on=True)
    arm.tick(50)
    assert "let go" in arm.rewind(0.2).reason
