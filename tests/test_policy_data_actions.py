"""Actions and targets are two ways to say one thing; so are units and normalised numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from policy import rotations
from policy.actions import action_width, actions_between, target_width, targets_of
from policy.data.normaliser import Normaliser, fit_normaliser

SEEDS = st.integers(0, 2**32 - 1)


def random_poses(rng: np.random.Generator, shape: tuple[int, ...], spread: float = 1.0
                 ) -> np.ndarray:
    """(..., 8) anywhere within the spread, turned anyhow."""
    quaternions = rotations.normalised(rng.normal(size=(*shape, 4)))
    return np.concatenate([spread * rng.normal(size=(*shape, 3)), quaternions,
                           rng.integers(0, 2, (*shape, 1))], axis=-1)


def same_poses(ours: np.ndarray, theirs: np.ndarray) -> None:
    """A quaternion and its negative are one rotation."""
    np.testing.assert_allclose(ours[..., :3], theirs[..., :3], atol=1e-9)
    apart = np.abs(np.sum(ours[..., 3:7] * theirs[..., 3:7], axis=-1))
    np.testing.assert_allclose(apart, 1.0, atol=1e-9)
    np.testing.assert_array_equal(ours[..., 7:], theirs[..., 7:])


@given(seed=SEEDS, chunks=st.integers(0, 4), steps=st.integers(1, 20))
def test_composing_the_changes_of_tool_targets_gives_the_targets(seed, chunks, steps):
    rng = np.random.default_rng(seed)
    base, targets = random_poses(rng, (chunks,)), random_poses(rng, (chunks, steps))
    actions = actions_between(base, targets, "tool")
    assert actions.shape == (chunks, steps, action_width("tool", 8))
    same_poses(targets_of(base, actions, "tool"), targets)


@given(seed=SEEDS, steps=st.integers(1, 20), width=st.integers(2, 15))
def test_composing_the_changes_of_joint_targets_gives_the_targets(seed, steps, width):
    rng = np.random.default_rng(seed)
    base, targets = rng.normal(size=width), rng.normal(size=(steps, width))
    actions = actions_between(base, targets, "joints")
    assert actions.shape == (steps, action_width("joints", width))
    assert target_width("joints", width) == width
    np.testing.assert_allclose(targets_of(base, actions, "joints"), targets, atol=1e-12)


@given(seed=SEEDS, steps=st.integers(1, 20))
def test_actions_that_are_composed_are_the_actions_between_the_targets(seed, steps):
    rng = np.random.default_rng(seed)
    base = random_poses(rng, ())
    actions = np.concatenate([rng.normal(size=(steps, 3)), rng.uniform(-1, 1, (steps, 3)),
                              rng.integers(0, 2, (steps, 1))], axis=1)
    targets = targets_of(base, actions, "tool")
    np.testing.assert_allclose(actions_between(base, targets, "tool"), actions, atol=1e-9)


@pytest.mark.parametrize("space, width", [("tool", 8), ("joints", 5)])
def test_no_change_stays_at_the_base(space, width):
    base = random_poses(np.random.default_rng(0), ()) if space == "tool" else np.arange(5.0)
    still = np.zeros((3, action_width(space, 5)))
    targets = targets_of(base, still, space)
    assert targets.shape == (3, width)
    np.testing.assert_allclose(targets[:, :-1], np.tile(base[:-1], (3, 1)))


@given(vector=st.lists(st.floats(-1.8, 1.8), min_size=3, max_size=3))
def test_a_rotation_vector_survives_being_a_quaternion(vector):
    vector = np.array(vector)       # shorter than pi, beyond which a rotation has two vectors
    if np.linalg.norm(vector) < np.pi - 1e-3:
        np.testing.assert_allclose(rotations.to_vector(rotations.from_vector(vector)), vector,
                                   atol=1e-9)


@given(seed=SEEDS)
def test_quaternions_compose_as_their_matrices_do(seed):
    left, right = rotations.normalised(np.random.default_rng(seed).normal(size=(2, 4)))
    together = rotations.to_matrix(rotations.multiply(left, right))
    np.testing.assert_allclose(together, rotations.to_matrix(left) @ rotations.to_matrix(right),
                               atol=1e-9)
    back = rotations.multiply(left, rotations.inverse(left))
    np.testing.assert_allclose(back, [1, 0, 0, 0], atol=1e-12)


@given(seed=SEEDS, share=st.floats(0, 1))
def test_between_two_rotations_the_turn_is_shared_out(seed, share):
    first, second = rotations.normalised(np.random.default_rng(seed).normal(size=(2, 4)))
    middle = rotations.between(first, second, np.array(share))

    def angle(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.linalg.norm(rotations.to_vector(
            rotations.multiply(b, rotations.inverse(a)))))

    assert angle(first, middle) == pytest.approx(share * angle(first, second), abs=1e-6)
    assert angle(middle, second) == pytest.approx((1 - share) * angle(first, second), abs=1e-6)


def fitted(seed: int = 0) -> tuple[Normaliser, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    felt = rng.normal(3, 2, (500, 4)).astype(np.float32)
    felt[:, 3] = 0.7                                            # never changes
    tool = rng.normal([0.4, 0, 0.2], 0.1, (500, 3)).astype(np.float32)
    actions = rng.normal(0, 0.01, (500, 7)).astype(np.float32)
    actions[:, 4] = 0.0                                         # never turns about y
    actions[:, 6] = rng.integers(0, 2, 500)
    normaliser = fit_normaliser(felt, np.full(4, 0.05), tool, actions, "tool", 1 / 30)
    return normaliser, felt, tool, actions


@given(seed=SEEDS)
def test_normalised_numbers_come_back_and_are_of_about_one(seed):
    normaliser, felt, tool, actions = fitted(seed)
    for forth, back, values in (
        (normaliser.normalise_proprioception, normaliser.denormalise_proprioception, felt),
        (normaliser.normalise_position, normaliser.denormalise_position, tool),
        (normaliser.normalise_actions, normaliser.denormalise_actions, actions),
    ):
        np.testing.assert_allclose(back(forth(values)), values, atol=1e-5)
        assert forth(values).dtype == np.float32
        assert np.abs(forth(values)).max() < 6
        in_torch = forth(torch.from_numpy(values))
        np.testing.assert_allclose(in_torch.numpy(), forth(values), atol=1e-6)
        np.testing.assert_allclose(back(in_torch).numpy(), values, atol=1e-5)


def test_a_number_that_never_changed_is_not_blown_up():
    normaliser, felt, _, actions = fitted()
    moved = felt[0].copy()
    moved[3] += 0.05
    assert normaliser.normalise_proprioception(moved)[3] == pytest.approx(1.0, abs=1e-3)
    turned = actions[0].copy()
    turned[4] = 0.15 / 30                                       # a slow turn: 0.15 rad/s
    assert normaliser.normalise_actions(turned)[4] <= 1.0


@pytest.mark.parametrize("gripper, normalised", [(0.0, -1.0), (1.0, 1.0)])
def test_staying_is_zero_and_the_gripper_goes_from_minus_one_to_one(gripper, normalised):
    stay = np.array([0, 0, 0, 0, 0, 0, gripper])
    np.testing.assert_array_equal(fitted()[0].normalise_actions(stay), [0] * 6 + [normalised])


def test_a_robot_without_a_tool_pose_is_normalised_in_joints():
    rng = np.random.default_rng(0)
    actions = rng.normal(0, 0.02, (50, 3))
    normaliser = fit_normaliser(rng.normal(size=(50, 2)), np.full(2, 0.1), np.zeros((0, 3)),
                                actions, "joints", 0.1)
    assert len(normaliser.action_scale) == 2
    np.testing.assert_allclose(
        normaliser.denormalise_actions(normaliser.normalise_actions(actions)), actions)
