"""Other weights while the arm moves: nothing is late, nothing is lost, and back in one tick."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy_files import VersionedRule
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.driving.two_speeds import Delays
from studio.station.commands import DiscardEpisode
from studio.station.messages import Mode
from studio.station.serving.policy_in_process import PolicyInProcess

pytestmark = pytest.mark.gl
JOINTS = 7


@pytest.fixture(scope="module")
def made() -> RolloutDesk:
    """One simulator for all examples."""
    return RolloutDesk(VersionedRule(1))


@contextmanager
def driving(desk: RolloutDesk) -> Iterator[PolicyInProcess]:
    """Version 1 moves the arm; gives what lets it."""
    driver = desk.driver
    assert driver is not None
    driver.speeds.delays = Delays()
    driver.swap(VersionedRule(1))
    desk.begin()
    desk.ticks(40)
    assert np.abs(desk.rows[-1]["sent_velocity"]).max() > 0.01
    yield driver
    desk.do(DiscardEpisode())
    desk.ticks(20)


def test_the_version_before_acts_one_tick_after_going_back(made):
    with driving(made) as driver:
        driver.swap(VersionedRule(2))
        assert made.ticks(1)[0]["weights_version"] == 2
        made.ticks(37)
        dry = driver.player.played.dry_ticks
        driver.swap(VersionedRule(1))
        assert {int(row["weights_version"]) for row in made.ticks(60)} == {1}
        assert driver.player.played.dry_ticks == dry and made.mode is Mode.AUTO


@settings(max_examples=6, deadline=None)
@given(pauses=st.lists(st.integers(1, 40), min_size=1, max_size=5), slow=st.booleans())
def test_swaps_at_any_moment_lose_no_tick_and_bend_no_motion(made, pauses, slow):
    with driving(made) as driver:
        if slow:
            driver.speeds.delays = Delays(think_s=0.06, act_s=0.02)
        dry, first, version = driver.player.played.dry_ticks, len(made.rows), 1
        for pause in pauses:
            version = 3 - version
            driver.swap(VersionedRule(version))
            made.ticks(pause)
        made.ticks(60)
        rows = np.array(made.rows[first:])
        assert driver.player.played.dry_ticks == dry and (rows["mode"] == Mode.AUTO).all()
    assert (np.diff(rows["seq"].astype(np.int64)) == 1).all()
    assert np.isfinite(rows["proposed_policy"]).all() and rows["weights_version"][-1] == version
    velocity = rows["sent_velocity"][:, :JOINTS]
    most = np.array(made.robot.info.max_acceleration[:JOINTS]) / 100 * 1.001
    assert (np.abs(np.diff(velocity, axis=0)) <= most).all()
