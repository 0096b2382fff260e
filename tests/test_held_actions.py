"""What is decided of a chunk, in actions: the prefix as it is, later places by moving the plan."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import rotations
from policy.actions import targets_of
from policy.driving.held_actions import HeldActions
from policy.interfaces import Held

STEPS = 12
BASE = np.array([0.4, 0.1, 0.3, 0.0, 1.0, 0.0, 0.0, 1.0])


def held(points: dict[int, dict[int, float]], prefix: int = 0) -> Held:
    """Step to column to value; the first steps stand still."""
    targets, mask = np.tile(BASE, (STEPS, 1)), np.zeros((STEPS, 8), bool)
    mask[:prefix] = True
    for step, values in points.items():
        for column, value in values.items():
            targets[step, column], mask[step, column] = value, True
    return Held(targets, mask)


def moving(rng_seed: int = 0) -> np.ndarray:
    """(H, A) some plan."""
    actions = np.random.default_rng(rng_seed).normal(0, 0.004, (STEPS, 7))
    actions[:, 3:6] *= 2.0
    return actions


@given(st.dictionaries(st.integers(4, STEPS - 1), st.dictionaries(
    st.integers(0, 2), st.floats(-0.1, 0.5), min_size=1), min_size=1, max_size=4),
       st.integers(0, 4), st.integers(0, 9))
def test_the_plan_leads_through_every_place_that_is_held(points, prefix, seed):
    decided = HeldActions(held(points, prefix), BASE, "tool")
    plan = moving(seed)
    plan[:prefix] = decided.actions[:prefix]
    targets = targets_of(BASE, decided.fitted(plan), "tool")
    for step, values in points.items():
        for column, value in values.items():
            assert targets[step, column] == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(targets[:prefix, :3], BASE[None, :3].repeat(prefix, 0), atol=1e-9)


@given(st.integers(4, STEPS - 1), st.integers(0, 9))
def test_a_plan_that_leads_there_already_is_left_alone(step, seed):
    plan = moving(seed)
    through = targets_of(BASE, plan, "tool")[step]
    decided = HeldActions(held({step: {0: through[0], 2: through[2]}}), BASE, "tool")
    assert decided.bends
    np.testing.assert_allclose(decided.fitted(plan), plan, atol=1e-12)


def test_other_axes_and_what_follows_keep_their_motion():
    plan = moving()
    fitted = HeldActions(held({6: {1: 0.15}}), BASE, "tool").fitted(plan)
    np.testing.assert_array_equal(np.delete(fitted, 1, axis=1), np.delete(plan, 1, axis=1))
    np.testing.assert_array_equal(fitted[7:], plan[7:])


def test_a_turn_is_held_as_a_whole():
    turned = rotations.multiply(rotations.from_vector(np.array([0.0, 0.0, 0.3])), BASE[3:7])
    whole = HeldActions(held({8: dict(zip(range(3, 7), turned.tolist(), strict=True))}), BASE,
                        "tool")
    plan = moving() * np.array([1, 1, 1, 0, 0, 1, 1])
    reached = targets_of(BASE, whole.fitted(plan), "tool")[8, 3:7]
    apart = rotations.to_vector(rotations.multiply(reached, rotations.inverse(turned)))
    assert np.linalg.norm(apart) < 1e-6
    assert not HeldActions(held({8: {3: 0.1}}), BASE, "tool").bends


def test_joints_are_held_one_by_one():
    targets, mask = np.zeros((STEPS, 4)), np.zeros((STEPS, 4), bool)
    targets[7, 1], mask[7, 1] = 0.2, True
    base = np.array([0.1, 0.1, 0.1, 1.0])
    fitted = HeldActions(Held(targets, mask), base, "joints").fitted(np.zeros((STEPS, 4)))
    assert targets_of(base, fitted, "joints")[7, :3].tolist() == pytest.approx([0.1, 0.2, 0.1])
