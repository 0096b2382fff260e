"""A device's stamps on the machine's clock: drift, late arrivals, clocks that are set anew."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorders.clock import NS_PER_S
from recorders.clock_map import DRIFT_AFTER_S, JUMP_NS, ClockMap

MS = 1_000_000
SHORTEST_NS = 2 * MS        # a frame's way through USB; nobody can see it in the stamps


def played(drift_ppm: float, seconds: float, seed: int = 0, shift_ns: int = 7 * NS_PER_S
           ) -> tuple[ClockMap, np.ndarray]:
    """A camera of 30 Hz on a loaded machine; the map, and (N,) ns that each answer is off."""
    rng = np.random.default_rng(seed)
    true_ns = (np.arange(round(30 * seconds)) * NS_PER_S / 30).astype(np.int64) + NS_PER_S
    device_ns = (true_ns / (1 + drift_ppm * 1e-6)).astype(np.int64) + shift_ns
    late_ns = SHORTEST_NS + (rng.exponential(4 * MS, len(true_ns))).astype(np.int64)
    late_ns[rng.random(len(true_ns)) < 0.02] += 40 * MS
    arrived_ns = np.maximum.accumulate(true_ns + late_ns)
    clock_map = ClockMap()
    answers_ns = np.array([clock_map.taken_ns(int(device), int(host))
                           for device, host in zip(device_ns, arrived_ns, strict=True)])
    assert (answers_ns <= arrived_ns).all() and (np.diff(answers_ns) > 0).all()
    return clock_map, answers_ns - true_ns - SHORTEST_NS


@pytest.mark.parametrize("drift_ppm", [-80.0, 0.0, 12.0, 300.0])
def test_drift_is_found_with_its_uncertainty_though_arrivals_are_late(drift_ppm):
    clock_map, off_ns = played(drift_ppm, 60)
    assert clock_map.fit.drift_ppm == pytest.approx(drift_ppm, abs=15)
    assert abs(clock_map.fit.drift_ppm - drift_ppm) < 5 * clock_map.fit.error_ppm + 1
    assert 0 < clock_map.fit.error_ppm < 15
    assert np.quantile(np.abs(off_ns[300:]), 0.95) < 1 * MS       # arrivals are off by 4 ms, or 44


def test_until_there_is_enough_to_tell_the_clocks_are_taken_to_run_alike():
    clock_map, _ = played(100.0, DRIFT_AFTER_S - 1)
    assert clock_map.fit.drift_ppm == 0.0 and np.isnan(clock_map.fit.error_ppm)


@given(st.lists(st.tuples(st.integers(1, 200 * MS), st.integers(0, 300 * MS)), min_size=1,
                max_size=80))
def test_no_sample_is_taken_after_it_arrived(steps):
    clock_map, device_ns, host_ns = ClockMap(), 0, 0
    for step_ns, late_ns in steps:
        device_ns += step_ns
        host_ns = max(host_ns + 1, device_ns + late_ns)
        assert clock_map.taken_ns(device_ns, host_ns) <= host_ns


@pytest.mark.parametrize("jump_ns", [-20 * NS_PER_S, 20 * NS_PER_S])
def test_a_device_whose_clock_was_set_anew_is_learned_anew(jump_ns):
    clock_map = ClockMap()
    for number in range(300):
        clock_map.taken_ns(number * 33 * MS, number * 33 * MS + 5 * MS)
    begun_ns = 300 * 33 * MS
    taken_ns = clock_map.taken_ns(begun_ns + jump_ns, begun_ns + 5 * MS)
    assert clock_map.resets == 1 and clock_map.fit.span_s == 0.0
    assert taken_ns == begun_ns + 5 * MS and abs(jump_ns) > JUMP_NS
