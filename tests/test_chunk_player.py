"""Chunks on the real arm's kinematics: what is played, what is refused, and how closely."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import rotations
from policy.interfaces import Chunk
from recorders.clock import ManualClock
from studio.sim.robot import SimRobot
from studio.station.chunks.path import BLEND_NS
from studio.station.chunks.player import ChunkPlayer
from studio.station.chunks.ways import gone, on_path, way
from studio.station.loop.kinematics import ArmKinematics
from studio.station.loop.safety import MotionLimiter, SafetyLimits, leaps

DT_S, TICK_NS, STEP_NS = 0.01, 10_000_000, 30_000_000
INFO = SimRobot(ManualClock(), render=False).info
KINEMATICS = ArmKinematics(INFO)
LIMITS = SafetyLimits()
HOME = np.array(INFO.home)
HERE = np.append(KINEMATICS.forward(HOME), 1.0)


def leading(by_m, steps: int = 16, gripper: float = 1.0) -> np.ndarray:
    """(H, 8) targets on a straight line from home."""
    targets = np.tile(HERE, (steps, 1))
    targets[:, :3] += np.outer(np.arange(1, steps + 1) / steps, by_m)
    targets[:, 7] = gripper
    return targets


def chunk(targets: np.ndarray, observation_ns: int = TICK_NS, **fields) -> Chunk:
    told = {"space": "tool", "latent_id": 1, "latent_ns": observation_ns, "epoch": 3} | fields
    return Chunk(targets=targets, first_ns=observation_ns + STEP_NS, step_ns=STEP_NS,
                 observation_ns=observation_ns, **told)


class Desk:
    """A player whose wishes are obeyed to the letter, tick after tick."""

    def __init__(self) -> None:
        self.player = ChunkPlayer(KINEMATICS, 8, LIMITS, DT_S)
        self.now_ns, self.epoch, self.commanded = 0, 3, HOME.copy()
        self.tick()

    def tick(self, *, driving: bool = True) -> np.ndarray | None:
        wish = self.player.wish(self.now_ns, self.commanded, self.epoch, driving=driving)
        self.now_ns += TICK_NS
        if wish is not None and driving:
            self.commanded = wish
        return wish

    def ticks(self, count: int) -> list[np.ndarray | None]:
        return [self.tick() for _ in range(count)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_tool_goes_where_the_chunk_says_when_it_says(desk):
    assert desk.player.offer(chunk(leading([0.0, 0.08, -0.04]))) == ""
    for _ in range(47):
        wish = desk.tick()
        assert wish is not None
        gone_s = min(max(desk.now_ns - 2 * TICK_NS, 0) / (16 * STEP_NS), 1.0)
        tool = KINEMATICS.forward(wish)
        assert np.abs(tool[:3] - HERE[:3] - gone_s * np.array([0.0, 0.08, -0.04])).max() < 2e-3
    assert desk.player.played.taken == 1 and desk.player.played.latency_ns == [0]


def test_a_chunk_that_ran_dry_leaves_the_arm_at_its_last_target(desk):
    desk.player.offer(chunk(leading([0.05, 0.0, 0.0], gripper=0.0)))
    desk.ticks(200)
    wish = desk.tick()
    assert wish is not None and wish[-1] == 0.0
    assert np.abs(KINEMATICS.forward(wish)[:3] - HERE[:3] - (0.05, 0, 0)).max() < 1e-3
    assert desk.player.played.dry_ticks > 100


def test_after_being_held_back_the_arm_goes_on_from_where_it_is(desk):
    desk.player.offer(chunk(leading([0.0, 0.12, 0.0])))
    desk.ticks(40)
    desk.player.release()
    assert desk.tick() is None
    desk.commanded = HOME.copy()                        # it was pushed back all the way
    desk.tick()
    desk.player.offer(chunk(leading([0.0, 0.0, 0.05]), desk.now_ns - TICK_NS))
    wish = desk.tick()
    assert wish is not None and np.abs(KINEMATICS.forward(wish)[:3] - HERE[:3]).max() < 3e-3


def test_joints_are_played_as_they_are(desk):
    targets = HOME + np.outer(np.arange(1, 17) / 16, [0.1, 0, 0, -0.1, 0, 0, 0.2, 0])
    desk.player.offer(chunk(targets, space="joints"))
    desk.ticks(100)
    assert np.allclose(desk.tick(), targets[-1])


@pytest.mark.parametrize(("told", "reason"), [
    ({"epoch": 2}, "epoch 2"), ({"instruction_id": 0}, "replaced")])
def test_a_chunk_of_another_owner_or_of_cancelled_words_is_refused(desk, told, reason):
    desk.player.flush(1)
    assert reason in desk.player.offer(chunk(leading([0.1, 0, 0]), **{"instruction_id": 1} | told))
    assert desk.tick() is None and desk.player.played.refused == 1


def test_what_was_seen_before_the_last_change_of_owner_is_not_played(desk):
    desk.ticks(10)
    desk.epoch = 4
    desk.tick()
    changed_ns = desk.now_ns - TICK_NS
    old = chunk(leading([0.1, 0, 0]), changed_ns - TICK_NS, epoch=4)
    assert "last change" in desk.player.offer(old)
    assert desk.player.offer(chunk(leading([0.1, 0, 0]), changed_ns, epoch=4)) == ""


def test_a_change_of_owner_ends_the_running_chunk_and_one_that_waits(desk):
    desk.player.offer(chunk(leading([0.1, 0, 0])))
    assert desk.tick() is not None
    desk.player.offer(chunk(leading([0.0, 0.1, 0]), 2 * TICK_NS))
    desk.epoch = 4
    assert desk.tick() is None and desk.tick() is None
    assert desk.player.played.refused == 1


def test_new_words_end_the_running_chunk_at_once(desk):
    desk.player.offer(chunk(leading([0.1, 0, 0])))
    assert desk.tick() is not None
    desk.player.flush(1)
    assert desk.tick() is None
    desk.player.begin()                                 # another scene counts words anew
    assert desk.player.offer(chunk(leading([0.1, 0, 0]))) == ""


@pytest.mark.parametrize("targets", [
    np.full((16, 8), np.nan), np.zeros((16, 8)), np.zeros((0, 8)), np.zeros((16, 7)), np.zeros(8)])
def test_what_is_no_chunk_is_refused_and_what_runs_goes_on(desk, targets):
    desk.player.offer(chunk(leading([0.1, 0, 0])))
    desk.tick()
    assert desk.player.offer(chunk(targets, desk.now_ns))
    assert desk.tick() is not None


def test_targets_outside_the_workspace_are_met_at_its_edge(desk):
    far = leading([0.0, 0.0, -0.6])
    desk.player.offer(chunk(far))
    desk.ticks(300)
    assert abs(KINEMATICS.forward(desk.commanded)[2] - LIMITS.workspace_low[2]) < 2e-3


def test_a_shadow_says_what_the_chunk_says_whatever_the_human_does(desk):
    desk.player.offer(chunk(leading([0.0, 0.1, 0.0])))
    desk.tick()
    desk.commanded = desk.commanded + 0.02
    fresh = chunk(leading([0.0, -0.1, 0.0]), desk.now_ns)
    desk.player.offer(fresh)
    wish = None
    for _ in range(48):
        wish = desk.tick(driving=False)
    assert wish is not None
    assert np.abs(KINEMATICS.forward(wish)[:3] - fresh.targets[-1, :3]).max() < 3e-3
    assert desk.player.played.dry_ticks == 0


# ---- laws of paths -----------------------------------------------------------------------------

numbers = st.floats(-1, 1)
poses = st.lists(numbers, min_size=6, max_size=6).map(
    lambda six: gone("tool", HERE, np.array(six) * (0.2, 0.2, 0.2, 1.0, 1.0, 1.0)))


@given(poses, poses)
def test_going_the_way_to_a_pose_arrives_there(first, second):
    arrived = gone("tool", first, way("tool", first, second))
    assert np.allclose(arrived[:3], second[:3])
    turned = rotations.multiply(arrived[3:7], rotations.inverse(second[3:7]))
    assert np.linalg.norm(rotations.to_vector(turned)) < 1e-6


@given(st.lists(poses, min_size=2, max_size=8))
def test_a_path_passes_its_knots_and_does_not_jump(knots):
    stamps = np.arange(len(knots)) * STEP_NS
    for stamp, knot in zip(stamps, knots, strict=True):
        here = on_path("tool", stamps, np.array(knots), int(stamp))
        assert np.allclose(way("tool", here, knot), 0,
                           atol=1e-6)
    fine = [on_path("tool", stamps, np.array(knots), ns)[:3]
            for ns in range(0, int(stamps[-1]), STEP_NS // 30)]
    assert all(np.abs(b - a).max() < 0.06 for a, b in pairwise(fine))


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=2, max_size=6),
       st.integers(2, 12))
@settings(max_examples=25)
def test_the_wish_does_not_jump_from_one_chunk_to_the_next(directions, every):
    desk = Desk()
    desk.ticks(2)
    tools = [HERE[:3]]
    for direction in directions:
        base = np.append(KINEMATICS.forward(desk.commanded), 1.0)
        targets = leading(0.1 * np.array(direction)) - HERE + base
        targets[:, 3:7] = base[3:7]
        desk.player.offer(chunk(targets, desk.now_ns - TICK_NS))
        for wish in desk.ticks(every):
            assert wish is not None
            tools.append(KINEMATICS.forward(wish)[:3])
    fastest_m = 0.18 / (16 * STEP_NS) * TICK_NS         # of a chunk, and its first corner
    assert max(np.linalg.norm(b - a) for a, b in pairwise(tools)) < 2 * fastest_m + 1e-3


# ---- what safety makes of a planned path -------------------------------------------------------


def limiter() -> MotionLimiter:
    made = MotionLimiter(INFO, LIMITS, KINEMATICS, DT_S)
    made.start_from(HOME)
    return made


def test_a_planned_path_is_followed_without_lag():
    limits, times_s = limiter(), np.arange(0, 3, DT_S)
    swing = 0.1 * (1 - np.cos(2 * np.pi * times_s / 1.5))
    errors = []
    for angle in swing:
        wish = HOME + np.array([1, -0.5, 0.3, 0.2, 1, 0.5, -1, 0]) * angle
        errors.append(np.abs(limits.step(wish).position - wish).max())
    assert max(errors) < 5e-3


@given(st.lists(st.tuples(st.lists(st.floats(-3, 3), min_size=8, max_size=8),
                          st.integers(1, 20), st.floats(0, 3)), min_size=1, max_size=8))
@settings(max_examples=25)
def test_whatever_is_planned_every_limit_of_motion_holds(wishes):
    limits = limiter()
    before = (HOME, np.zeros(8), np.zeros(8))
    for goal, ticks, speed in wishes:
        for number in range(ticks):
            wish = np.clip(HOME + np.array(goal) * min(1.0, speed * number * DT_S), -3, 3)
            sent = limits.step(wish)
            position, velocity, acceleration = before
            now = (sent.velocity - velocity) / DT_S
            assert np.all(np.abs(sent.velocity) <= np.array(INFO.max_velocity) + 1e-6)
            assert np.all(np.abs(now) <= np.array(INFO.max_acceleration) + 1e-5)
            assert np.all(np.abs(now - acceleration) / DT_S <= 1.02 * np.array(INFO.max_jerk))
            assert np.all(np.abs(sent.position - position - velocity * DT_S)
                          <= np.array(INFO.max_acceleration) * DT_S**2)
            assert np.all(sent.position >= np.array(INFO.lower) - 1e-6)
            assert np.all(sent.position <= np.array(INFO.upper) + 1e-6)
            before = (sent.position, sent.velocity, now)


def test_an_arm_that_was_held_back_does_not_lunge():
    """The difference to what was asked for is given back over BLEND_NS, not at once."""
    desk = Desk()
    desk.ticks(2)
    for number in range(12):
        base = np.append(KINEMATICS.forward(HOME), 1.0)             # it does not move at all
        desk.player.offer(chunk(leading([0.12, 0, 0]) - HERE + base, desk.now_ns - TICK_NS))
        wish = None
        for _ in range(4):
            wish = desk.player.wish(desk.now_ns, HOME, 3)
            desk.now_ns += TICK_NS
        assert wish is not None
        ahead = np.linalg.norm(KINEMATICS.forward(wish)[:3] - HERE[:3])
        assert ahead < 0.05 + 0.12 * (5 * TICK_NS) / (16 * STEP_NS) + 2e-3, number
    assert BLEND_NS > 4 * TICK_NS


def test_a_step_that_no_allowed_acceleration_leads_to_is_told_from_those_that_one_does():
    most, speed = np.array(INFO.max_acceleration), np.full(8, 0.3)
    gained = most * DT_S
    assert not leaps(gained * DT_S / 2, gained, most, DT_S)
    assert not leaps(np.zeros(8), np.zeros(8), most, DT_S)
    assert leaps(np.eye(8)[0] * -1.214, np.zeros(8), most, DT_S)        # seen once
    assert leaps(np.zeros(8), np.eye(8)[3] * speed * 10, most, DT_S)
