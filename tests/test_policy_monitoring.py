"""Signals of a rollout that goes wrong, and the band that says how large they may be."""

import msgspec
import numpy as np
import pytest

from policy.interfaces import Chunk
from policy.monitoring.band import Curve, fit_band, in_bins
from policy.monitoring.novelty import SIGNATURE, fit_familiar, signature
from policy.monitoring.signals import GRIPPER_M, LEVER_M, chunk_disagreement

STEP_NS = 33_333_333


def chunk(first_step: int, *, x=0.0, turn_rad=0.0, gripper=1.0, steps=16) -> Chunk:
    targets = np.zeros((steps, 8))
    targets[:, 0] = x + 0.01 * np.arange(first_step, first_step + steps)
    targets[:, 3], targets[:, 6] = np.cos(turn_rad / 2), np.sin(turn_rad / 2)
    targets[:, 7] = gripper
    return Chunk(targets=targets, space="tool", first_ns=first_step * STEP_NS, step_ns=STEP_NS,
                 observation_ns=(first_step - 1) * STEP_NS, latent_id=1, latent_ns=0)


def test_a_plan_that_goes_on_does_not_disagree_with_itself():
    assert chunk_disagreement(chunk(0), chunk(4)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("changed", "expected_m"), [
    ({"x": 0.03}, 0.03), ({"turn_rad": 0.5}, 0.5 * LEVER_M), ({"gripper": 0.0}, GRIPPER_M)])
def test_a_plan_disagrees_by_what_it_changes(changed, expected_m):
    assert chunk_disagreement(chunk(0), chunk(4, **changed)) == pytest.approx(expected_m)


def test_plans_of_different_moments_say_nothing_about_each_other():
    assert np.isnan(chunk_disagreement(chunk(0), chunk(16)))


def test_a_slowed_plan_is_compared_at_the_same_moments():
    slow = msgspec.structs.replace(chunk(4), step_ns=2 * STEP_NS)
    # At step 4 + 2 k the slow one is k steps behind the quick one, for six shared moments.
    assert chunk_disagreement(chunk(0), slow) == pytest.approx(0.01 * np.arange(6).mean())


def rollouts(rng, count, *, high=0.0, length=(40, 60)) -> list[Curve]:
    curves = []
    for _ in range(count):
        bins = int(rng.integers(*length))
        rising = np.linspace(0.0, 1.0, bins)[:, None]
        curves.append(Curve(np.hstack([rising + 0.1 * rng.standard_normal((bins, 1)) + high,
                                       np.abs(rng.standard_normal((bins, 1)))]), bins * 0.25))
    return curves


def leaves(band, curve: Curve) -> bool:
    return curve.duration_s > band.longest_s or any(
        (row[~np.isnan(row)] > band.thresholds((k + 0.5) * band.bin_s)[~np.isnan(row)]).any()
        for k, row in enumerate(curve.values))


def test_of_new_successes_few_leave_the_band_and_of_strays_most():
    rng, left = np.random.default_rng(0), []
    bands = [fit_band(rollouts(rng, 60), ("a", "b")) for _ in range(40)]
    for band in bands:
        left.append(np.mean([leaves(band, curve) for curve in rollouts(rng, 25)]))
    assert np.mean(left) <= 0.05 + 0.01     # 1000 successes: a promise about the average
    band = bands[0]
    assert np.mean([leaves(band, curve) for curve in rollouts(rng, 50, high=1.0)]) > 0.9


def test_a_rollout_that_takes_too_long_leaves_the_band():
    rng = np.random.default_rng(1)
    band = fit_band(rollouts(rng, 60), ("a", "b"))
    assert 12.0 < band.longest_s < 22.0


def test_a_signal_that_was_never_heard_raises_nothing_and_a_late_moment_has_a_threshold():
    curves = [Curve(np.hstack([curve.values, np.full((len(curve.values), 1), np.nan)]),
                    curve.duration_s) for curve in rollouts(np.random.default_rng(2), 40)]
    band = fit_band(curves, ("a", "b", "silent"))
    assert np.isinf(band.thresholds(3.0)[2])
    assert np.isfinite(band.thresholds(1000.0)[:2]).all()


def test_too_few_successes_are_refused_with_how_many_are_needed():
    with pytest.raises(ValueError, match="38 are needed"):
        fit_band(rollouts(np.random.default_rng(3), 20), ("a", "b"))


def test_the_largest_value_in_a_bin_counts():
    values = np.array([[0.0, 1.0], [3.0, np.nan], [1.0, np.nan]])
    curve = in_bins(np.array([0.0, 0.2, 0.6]), values, 0.25)
    assert curve.values[0].tolist() == [3.0, 1.0]
    assert np.isnan(curve.values[1]).all() and curve.values[2][0] == 1.0


def test_latents_of_another_kind_are_farther_away():
    rng = np.random.default_rng(4)
    latents = rng.standard_normal((200, 6, 32))
    familiar = fit_familiar(np.stack([signature(one) for one in latents[:150]]))
    near = [familiar.distance(signature(one)) for one in latents[150:]]
    far = [familiar.distance(signature(one + 2.0)) for one in latents[150:]]
    assert np.median(near) == pytest.approx(np.sqrt(SIGNATURE), rel=0.3)
    assert np.median(far) > 1.3 * np.median(near)
    assert (signature(latents[0]) == signature(latents[0].copy())).all()


def test_too_few_latents_are_refused():
    with pytest.raises(ValueError, match="32 are needed"):
        fit_familiar(np.zeros((20, SIGNATURE), np.float32))
