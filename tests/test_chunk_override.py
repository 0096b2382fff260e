"""A person changes the plan that runs: by command, on the simulator, under the manual clock."""

import math
from itertools import pairwise

import numpy as np
import pytest
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy

from policy.driving.two_speeds import Delays
from recorders.clock import NS_PER_S
from studio.station.chunks.override_commands import (
    AcceptChunk,
    FixChunk,
    FixedStep,
    FreeChunk,
    HoldChunk,
    OverrideCommand,
    SlowChunks,
    StepChunks,
    TrimChunk,
    VetoChunk,
)
from studio.station.chunks.shown_plan import Override
from studio.station.commands import Arm, DiscardEpisode, Reply, StartPolicy
from studio.station.messages import Mode, Owner, RunningChunk

FREE = (None,) * 8


class Desk(RolloutDesk):
    """With a policy that drives, and what is shown of its plan."""

    def __init__(self) -> None:
        super().__init__(RulePolicy(), delays=Delays(act_s=0.03))

    @property
    def plan(self) -> RunningChunk:
        """That runs."""
        shown = self.shown
        assert shown is not None
        return shown

    @property
    def shown(self) -> RunningChunk | None:
        """What a timeline would draw, if anything runs."""
        assert self.driver is not None
        return self.driver.player.shown()

    def ask(self, command: OverrideCommand) -> Reply:
        """A command that may be refused."""
        return self.station.handle(command)

    def until(self, chunk_id: int, most: int = 200) -> RunningChunk:
        """Tick until a newer chunk than this runs."""
        for _ in range(most):
            if (shown := self.shown) is not None and shown.chunk_id > chunk_id:
                return shown
            self.ticks(1)
        raise AssertionError(f"no chunk after {chunk_id}")


@pytest.fixture(scope="module")
def one_desk() -> Desk:
    return Desk()


@pytest.fixture
def desk(one_desk: Desk) -> Desk:
    """The policy drives, and is under way."""
    desk = one_desk
    assert desk.driver is not None
    if desk.station.feed.open:
        desk.do(DiscardEpisode())
        desk.ticks(5)
    desk.do(SlowChunks(1.0))
    desk.do(StepChunks(on=False))
    desk.begin()
    desk.until(0)
    desk.ticks(40)
    assert desk.mode is Mode.AUTO
    return desk


def fixing(plan: RunningChunk, step: int, **by: float) -> FixChunk:
    """A point dragged by so many metres."""
    target = plan.targets[step]
    values: list[float | None] = list(FREE)
    for axis, metres in by.items():
        values["xyz".index(axis)] = target["xyz".index(axis)] + metres
    return FixChunk(plan.chunk_id, (FixedStep(step, tuple(values)),))


def tools(rows: list[np.void]) -> np.ndarray:
    return np.array([row["sent_tool"][:3] for row in rows])


def test_a_dragged_point_is_met_at_its_moment_though_the_policy_plans_anew_meanwhile(desk):
    plan = desk.plan
    command = fixing(plan, 14, y=0.03)
    wanted = command.steps[0].values[1]
    desk.do(command)
    left = 14 - plan.step
    rows = desk.ticks(round(left * plan.step_s * 100) + 6)
    assert len({int(row["chunk_id"]) for row in rows}) >= 3         # it went on planning
    near = np.abs(tools(rows)[-12:, 1] - wanted).min()
    assert near < 3e-3
    assert all(row["override"] & Override.FIXED for row in rows[:10])
    assert set(rows[5]["owner"].tolist()) == {Owner.POLICY}


def test_what_is_fixed_shows_on_every_later_chunk_until_it_is_past(desk):
    plan = desk.plan
    command = fixing(plan, 13, z=0.02)
    desk.do(command)
    assert desk.plan.fixed[0].step == 13 and desk.plan.proposed
    later = desk.until(plan.chunk_id)
    assert later.fixed[0].step < 13
    assert later.fixed[0].values[2] == pytest.approx(command.steps[0].values[2])
    desk.ticks(60)
    assert desk.plan.fixed == () and not desk.rows[-1]["override"]


def test_a_fixed_gripper_closes_for_the_steps_that_say_so(desk):
    plan = desk.plan
    shut = tuple(FixedStep(step, (*FREE[:7], 0.0)) for step in range(9, 14))
    desk.do(FixChunk(plan.chunk_id, shut))
    rows = desk.ticks(60)
    told = np.array([row["proposed_policy"][-1] for row in rows])
    assert told[0] == 1.0 and told[-1] == 1.0 and 12 <= (told == 0.0).sum() <= 20


def test_a_bend_asks_for_no_corner(desk):
    desk.do(fixing(desk.plan, 13, y=0.03))
    wishes = np.array([row["proposed_policy"] for row in desk.ticks(50)])
    speeds = np.diff(wishes[:, :-1], axis=0) * 100
    assert np.abs(np.diff(speeds, axis=0)).max() * 100 < 30.0       # rad/s²; the arm has 10 to 20


def test_nothing_is_fixed_any_more_after_free_and_the_arm_is_led_back(desk):
    desk.do(fixing(desk.plan, 14, y=0.03))
    desk.ticks(5)
    desk.do(FreeChunk())
    assert desk.plan.fixed == ()
    assert all(not row["override"] & Override.FIXED for row in desk.ticks(5))


REFUSED = (
    (lambda plan: fixing(plan, plan.step - 1, y=0.0), "is past"),
    (lambda plan: FixChunk(plan.chunk_id - 40, (FixedStep(3, (0.4, *FREE[1:])),)), "is gone"),
    (lambda plan: FixChunk(plan.chunk_id + 1, (FixedStep(3, (0.4, *FREE[1:])),)), "is gone"),
    (lambda plan: fixing(plan, 14, x=3.0), "outside the workspace"),
    (lambda plan: fixing(plan, plan.step + 2, y=0.2), "too soon"),
    (lambda plan: FixChunk(plan.chunk_id, (FixedStep(14, FREE),)), "fixes nothing"),
    (lambda plan: FixChunk(plan.chunk_id, (FixedStep(14, (0.4, 0.1)),)), "has 8 numbers"),
    (lambda plan: FixChunk(plan.chunk_id, (FixedStep(14, (math.inf, *FREE[1:])),)), "no number"),
    (lambda plan: FixChunk(plan.chunk_id, (FixedStep(14, (*FREE[:7], 2.0)),)), "a gripper is"),
    (lambda plan: FixChunk(plan.chunk_id, (FixedStep(14, (*FREE[:3], 1.0, *FREE[4:])),)), "four"),
    (lambda plan: FixChunk(plan.chunk_id, (FixedStep(99, (0.4, *FREE[1:])),)), "steps 0 to 15"),
    (lambda plan: FixChunk(plan.chunk_id, ()), "1 to 256 steps"),
    (lambda plan: TrimChunk(0), "is past"),
    (lambda plan: TrimChunk(14, chunk_id=plan.chunk_id - 1), "is over"),
    (lambda plan: HoldChunk(-1.0), "a hold lasts"),
    (lambda plan: SlowChunks(0.0), "above 0"),
    (lambda plan: VetoChunk(plan.chunk_id - 1), "is over"),
    (lambda plan: AcceptChunk(), "without being accepted"),
)


def test_what_cannot_be_done_is_refused_with_what_happened_and_changes_nothing(desk):
    while desk.plan.step < 2:
        desk.ticks(1)
    before = desk.plan
    for spoilt, reason in REFUSED:
        reply = desk.ask(spoilt(before))
        assert not reply.accepted and reason in reply.reason, reply
        assert desk.plan == before


def test_a_plan_of_a_moment_ago_can_still_be_changed_where_it_is_not_past(desk):
    plan = desk.plan
    desk.until(plan.chunk_id)
    assert desk.ask(fixing(plan, 14, y=0.01)).accepted
    desk.ticks(60)
    assert "is gone" in desk.ask(fixing(plan, 14, y=0.01)).reason or \
        "is past" in desk.ask(fixing(plan, 14, y=0.01)).reason


def test_while_nobody_but_a_person_drives_there_is_no_plan_to_change(desk):
    plan = desk.plan
    desk.push(10)
    assert "does not drive while HUMAN" in desk.ask(fixing(plan, 14, y=0.01)).reason


def test_the_hand_ends_everything_that_was_decided_about_the_plan(desk):
    desk.do(fixing(desk.plan, 14, y=0.02))
    desk.do(HoldChunk(5.0))
    desk.push(10)
    newer = desk.until(desk.plan.chunk_id if desk.shown else 0, 400)
    assert newer.fixed == () and newer.rate == 1.0
    while desk.mode is not Mode.AUTO:
        desk.ticks(1)
    assert np.linalg.norm(np.diff(tools(desk.ticks(60))[[0, -1]], axis=0)) > 5e-3


def stands(rows: list[np.void]) -> bool:
    """The last ticks moved nothing."""
    return bool(np.abs(np.diff(tools(rows[-5:]), axis=0)).max() < 2e-5)


def test_a_trimmed_plan_is_run_that_far_and_then_the_policy_looks_again(desk):
    plan = desk.plan
    last = plan.step + 5
    desk.do(TrimChunk(last, plan.chunk_id))
    assert len(desk.plan.targets) == last + 1 and len(desk.plan.proposed) == 16
    rows = []
    while desk.plan.chunk_id == plan.chunk_id:
        rows += desk.ticks(1)
        assert len(rows) < 200
    ended_ns = rows[-1]["t_mono_ns"]
    assert (ended_ns - rows[0]["t_mono_ns"]) / NS_PER_S >= 5 * plan.step_s
    reached = min(np.linalg.norm(tools(rows) - plan.targets[last][:3], axis=1))
    assert reached < 4e-3
    stood = [row for row in rows if row["override"] & Override.STANDS]
    assert stood and desk.plan.observation_ns > stood[0]["t_mono_ns"]


def test_a_hold_stands_for_its_time_and_goes_on_from_what_is_seen_then(desk):
    plan = desk.plan
    desk.do(HoldChunk(0.5, plan.step + 3, plan.chunk_id))
    desk.ticks(40)
    rows = desk.ticks(20)
    assert stands(rows) and desk.plan.chunk_id == plan.chunk_id and desk.plan.rate == 0.0
    later = desk.until(plan.chunk_id)
    stood = [row for row in desk.rows if row["chunk_id"] == plan.chunk_id
             and row["override"] & Override.STANDS]
    assert 0.5 <= (stood[-1]["t_mono_ns"] - stood[0]["t_mono_ns"]) / NS_PER_S < 0.7
    assert later.observation_ns - stood[0]["t_mono_ns"] > 0.5 * NS_PER_S
    assert not stands(desk.ticks(40))


def test_one_key_stops_the_arm_where_it_is(desk):
    desk.do(HoldChunk(1.0))
    assert stands(desk.ticks(60))


def test_slowed_plans_lead_along_the_same_way_in_more_time(desk):
    def speed() -> float:
        return float(np.linalg.norm(np.diff(tools(desk.ticks(11))[[0, -1]], axis=0)))

    while (usual := speed()) < 0.01:
        pass
    desk.do(SlowChunks(0.25))
    desk.ticks(30)
    assert desk.plan.rate == 0.25 and desk.rows[-1]["override"] & Override.SLOWED
    assert 0.1 * usual < speed() < 0.5 * usual
    desk.do(SlowChunks(1.0))


def test_a_dropped_plan_stops_the_arm_until_the_policy_has_planned_anew(desk):
    plan, now_ns = desk.plan, desk.clock.now_ns()
    desk.do(VetoChunk(plan.chunk_id))
    assert desk.shown is None
    later = desk.until(plan.chunk_id)
    assert later.observation_ns > now_ns and desk.mode is Mode.AUTO
    held = [row for row in desk.rows[-20:] if set(row["owner"].tolist()) == {Owner.HOLD}]
    assert held


def test_two_plans_dropped_in_a_row_ask_the_person(desk):
    desk.do(VetoChunk())
    desk.until(0)
    desk.do(VetoChunk())
    desk.ticks(2)
    assert desk.mode is Mode.HOLD
    assert desk.station.loop.ownership.reason.startswith("you dropped two plans in a row")
    desk.do(Arm())
    desk.do(StartPolicy())
    desk.until(0)
    desk.do(VetoChunk())                        # counted anew
    desk.ticks(2)
    assert desk.mode is Mode.AUTO


def test_two_plans_dropped_far_apart_ask_nobody(desk):
    desk.do(VetoChunk())
    desk.ticks(520)
    desk.do(VetoChunk())
    desk.ticks(2)
    assert desk.mode is Mode.AUTO


def test_step_by_step_only_what_was_accepted_runs(desk):
    desk.do(StepChunks(on=True))
    shown = desk.until(desk.plan.chunk_id)
    assert shown.waits
    desk.ticks(30)
    assert stands(desk.ticks(50)) and desk.plan.chunk_id == shown.chunk_id
    assert desk.rows[-1]["override"] & Override.WAITS
    desk.do(AcceptChunk(shown.chunk_id, 4))
    later = desk.until(shown.chunk_id)
    assert later.waits and later.observation_ns > shown.observation_ns
    ran = [row for row in desk.rows if row["chunk_id"] == shown.chunk_id]
    assert ran[-1]["chunk_step"] == 3
    assert stands(desk.ticks(60))
    reached = desk.rows[-1]["sent_tool"][:3]
    assert np.linalg.norm(reached - np.array(shown.targets[3][:3])) < 8e-3
    desk.do(AcceptChunk())
    assert not stands(desk.ticks(30)) or desk.plan.chunk_id > later.chunk_id


def test_a_guard_that_brakes_does_not_let_a_plan_run_that_nobody_accepted():
    """A slow policy's next plan is late by then, and far from where the arm stands."""
    desk = RolloutDesk(RulePolicy(), delays=Delays(think_s=0.03, act_s=0.5))
    assert desk.driver is not None
    desk.begin()
    desk.ticks(100)
    desk.do(StepChunks(on=True))
    desk.ticks(100)
    stood = desk.rows[-1]["sent_tool"][:3]
    for _ in range(4):
        desk.driver.player.release()                    # as the control loop does then
        desk.ticks(60)
    assert np.linalg.norm(desk.rows[-1]["sent_tool"][:3] - stood) < 1e-3
    desk.robot.disconnect()


def test_a_plan_that_waits_can_be_bent_before_it_runs(desk):
    desk.do(StepChunks(on=True))
    shown = desk.until(desk.plan.chunk_id)
    desk.ticks(100)                                     # however long it takes to drag
    command = fixing(shown, 12, y=-0.03)
    desk.do(command)
    desk.ticks(20)
    assert stands(desk.rows) and desk.plan.chunk_id == shown.chunk_id
    assert desk.plan.targets[12][1] == pytest.approx(command.steps[0].values[1], abs=2e-3)
    desk.do(AcceptChunk(shown.chunk_id))
    rows = desk.ticks(90)
    assert np.abs(tools(rows)[:, 1] - command.steps[0].values[1]).min() < 3e-3


def test_without_steps_the_policy_looks_again_before_it_goes_on(desk):
    desk.do(StepChunks(on=True))
    shown = desk.until(desk.plan.chunk_id)
    desk.ticks(100)
    desk.do(StepChunks(on=False))
    later = desk.until(shown.chunk_id)
    assert later.observation_ns - shown.observation_ns > 0.9 * NS_PER_S and not later.waits


def test_all_of_it_stands_in_the_tick_and_in_the_events(desk):
    told: list[dict] = []
    original, desk.station.feed.event = desk.station.feed.event, \
        lambda kind, **fields: told.append({"kind": kind, **fields})
    try:
        command = fixing(desk.plan, 14, y=0.01)
        desk.do(command)
        desk.ask(fixing(desk.plan, 14, x=5.0))
    finally:
        desk.station.feed.event = original
    (one,) = [event for event in told if event["kind"] == "override"]
    assert one["command"] == "FixChunk" and one["running"] == desk.plan.chunk_id
    assert one["asked"]["steps"][0]["step"] == 14


def test_an_edit_does_not_jump(desk):
    wishes = [row["proposed_policy"][:-1] for row in desk.ticks(10)]
    for by in (0.03, -0.02, 0.01):
        desk.do(fixing(desk.plan, 14, y=by))
        wishes += [row["proposed_policy"][:-1] for row in desk.ticks(6)]
    assert max(np.abs(b - a).max() for a, b in pairwise(wishes)) < 0.02
