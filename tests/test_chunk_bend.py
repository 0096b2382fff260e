"""A path bent through what a person fixed: exactly there, smoothly on the way, and nothing else."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import rotations
from studio.station.chunks.bend import RETURN_NS, Fixed, Start, bend_through
from studio.station.chunks.ways import gone, way

STEP_NS = 33_000_000
NAN = float("nan")
HERE = np.array([0.4, 0.0, 0.3, 0.0, 1.0, 0.0, 0.0, 1.0])
FREE = (NAN,) * 8


def path_at(moment_ns: int) -> np.ndarray:
    """Along x at 0.1 m/s, turning about z."""
    times_s = moment_ns / 1e9
    return gone("tool", HERE, np.array([0.1 * times_s, 0, 0, 0, 0, 0.2 * times_s]))


def fixed(step: int, **values: float) -> Fixed:
    names = ("x", "y", "z", "qw", "qx", "qy", "qz", "gripper")
    return Fixed(step * STEP_NS, tuple(values.get(name, NAN) for name in names), STEP_NS)


def test_the_path_goes_through_what_is_fixed_and_what_is_free_stays():
    bend = bend_through("tool", path_at, [fixed(8, y=0.03), fixed(10, y=0.04, z=0.28)], Start(0))
    for step, y in ((8, 0.03), (10, 0.04)):
        there = path_at(step * STEP_NS)
        bent = bend.bent("tool", there, step * STEP_NS)
        assert bent[1] == pytest.approx(y) and bent[0] == pytest.approx(there[0])
        assert np.allclose(bent[3:7], there[3:7])
    assert bend.bent("tool", path_at(10 * STEP_NS), 10 * STEP_NS)[2] == pytest.approx(0.28)
    assert np.allclose(bend.bent("tool", path_at(0), 0), path_at(0))


def test_a_rotation_is_fixed_as_a_whole():
    turned = gone("tool", path_at(6 * STEP_NS), np.array([0, 0, 0, 0.2, -0.1, 0.1]))
    names = dict(zip(("qw", "qx", "qy", "qz"), turned[3:7].tolist(), strict=True))
    bend = bend_through("tool", path_at, [fixed(6, **names)], Start(0))
    bent = bend.bent("tool", path_at(6 * STEP_NS), 6 * STEP_NS)
    apart = rotations.multiply(bent[3:7], rotations.inverse(turned[3:7]))
    assert np.linalg.norm(rotations.to_vector(apart)) < 1e-6
    assert np.allclose(bent[:3], path_at(6 * STEP_NS)[:3])


def test_a_fixed_gripper_holds_for_its_step_only():
    bend = bend_through("tool", path_at, [fixed(5, gripper=0.0)], Start(0))
    told = [bend.bent("tool", path_at(ns), ns)[-1]
            for ns in (4 * STEP_NS, 4 * STEP_NS + 1, 5 * STEP_NS, 5 * STEP_NS + 1)]
    assert told == [1.0, 0.0, 0.0, 1.0]


def test_joints_are_bent_one_by_one():
    at = np.array([0.1, 0.2, 1.0])
    one = Fixed(4 * STEP_NS, (NAN, 0.5, NAN), STEP_NS)
    bend = bend_through("joints", lambda _: at, [one], Start(0))
    assert bend.bent("joints", at, 4 * STEP_NS).tolist() == pytest.approx([0.1, 0.5, 1.0])


def test_when_nothing_is_fixed_any_more_it_leads_back():
    bend = bend_through("tool", path_at, [], Start(0, aside=(0.0, 0.02, 0, 0, 0, 0)))
    assert bend.added(0)[0][1] == pytest.approx(0.02)
    assert np.allclose(bend.added(RETURN_NS)[0], 0) and np.allclose(bend.added(10**10)[0], 0)


numbers = st.floats(-0.1, 0.1)


@given(st.lists(st.tuples(st.integers(2, 15), st.tuples(numbers, numbers, numbers)), min_size=1,
                max_size=5, unique_by=lambda one: one[0]),
       st.tuples(numbers, numbers, numbers), st.tuples(numbers, numbers, numbers))
@settings(max_examples=50, deadline=None)
def test_it_begins_as_told_and_never_jumps(points, aside, slope):
    given_ = [Fixed(step * STEP_NS, (0.4 + by[0], by[1], 0.3 + by[2], *FREE[3:]), STEP_NS)
              for step, by in sorted(points)]
    bend = bend_through("tool", path_at, given_,
                        Start(0, (*aside, 0.0, 0.0, 0.0), (*slope, 0.0, 0.0, 0.0)))
    first, leaving = bend.added(0)
    assert np.allclose(first[:3], aside) and np.allclose(leaving[:3], slope)
    fine = [bend.added(ns)[0] for ns in range(0, 17 * STEP_NS, STEP_NS // 33)]
    assert max(np.abs(b - a).max() for a, b in pairwise(fine)) < 0.04
    for one in given_:
        there = path_at(one.at_ns)
        through = bend.bent("tool", there, one.at_ns)
        assert np.abs(way("tool", through, np.array([*one.values[:3], *through[3:]]))).max() < 1e-9
