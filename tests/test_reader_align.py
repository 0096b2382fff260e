"""Laws of alignment: they hold for every ascending series of stamps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorders import align

moments = st.integers(-10**15, 10**15)
queries = st.lists(moments, min_size=1, max_size=20).map(np.array)


@st.composite
def ascending(draw: st.DrawFn, min_size: int = 1) -> np.ndarray:
    """Stamps as a recording has them: ascending, now and then two alike."""
    return np.array(sorted(draw(st.lists(moments, min_size=min_size, max_size=30))), np.int64)


@given(ascending(), queries)
def test_nearest_is_as_near_as_any_other_sample(stamps: np.ndarray, query: np.ndarray) -> None:
    chosen = np.abs(stamps[align.nearest(stamps, query)] - query)
    best = np.abs(stamps[None, :] - query[:, None]).min(axis=1)
    np.testing.assert_array_equal(chosen, best)


@given(ascending(), queries)
def test_latest_before_never_looks_into_the_future(stamps: np.ndarray, query: np.ndarray) -> None:
    for moment, row in zip(query, align.latest_before(stamps, query), strict=True):
        arrived = np.flatnonzero(stamps <= moment)
        assert row == (arrived[-1] if len(arrived) else align.NOT_YET)


@given(ascending())
def test_every_sample_is_found_at_its_own_stamp(stamps: np.ndarray) -> None:
    for find in (align.nearest, align.latest_before):
        np.testing.assert_array_equal(stamps[find(stamps, stamps)], stamps)


@given(ascending(), queries)
def test_interpolation_stays_between_its_neighbours(stamps: np.ndarray, query: np.ndarray) -> None:
    values = np.sin(stamps / 1e14)
    left = np.maximum(align.latest_before(stamps, query), 0)
    right = np.minimum(left + 1, len(stamps) - 1)
    got = align.interpolate(stamps, values, query)
    low = np.minimum(values[left], values[right])
    high = np.maximum(values[left], values[right])
    assert np.all(got >= low - 1e-12) and np.all(got <= high + 1e-12)


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=30), st.integers(0, 2**53))
def test_interpolation_of_a_line_is_that_line_even_years_after_boot(
    steps: list[int], boot_ns: int
) -> None:
    stamps = boot_ns + np.cumsum(np.array(steps, np.int64))
    query = np.linspace(stamps[0], stamps[-1], 17).astype(np.int64)
    query = np.clip(query, stamps[0], stamps[-1])
    line = (stamps - stamps[0]).astype(float)
    got = align.interpolate(stamps, line, query)
    np.testing.assert_allclose(got, (query - stamps[0]).astype(float), rtol=0, atol=1e-3)


@given(ascending(), queries)
def test_outside_the_stamps_the_last_known_value_holds(
    stamps: np.ndarray, query: np.ndarray
) -> None:
    values = np.arange(len(stamps), dtype=float)
    got = align.interpolate(stamps, values, query)
    assert np.all(got[query > stamps[-1]] == values[-1])
    assert np.all(got[query < stamps[0]] == values[0])


def test_silence_spreads_only_to_the_neighbouring_intervals() -> None:
    stamps = np.array([0, 10, 20, 30, 40])
    values = np.array([0.0, 1.0, np.nan, 3.0, 4.0])
    got = align.interpolate(stamps, values, np.array([5, 10, 15, 20, 25, 30, 35]))
    np.testing.assert_array_equal(np.isnan(got), [False, False, True, True, True, False, False])
    assert got[1] == 1.0 and got[5] == 3.0


def test_rows_of_several_values_are_interpolated_each_for_itself() -> None:
    stamps = np.array([0, 100])
    values = np.array([[0.0, 10.0], [1.0, 20.0]], np.float32)
    got = align.interpolate(stamps, values, np.array([25, 75]))
    np.testing.assert_allclose(got, [[0.25, 12.5], [0.75, 17.5]])
    assert got.dtype == np.float32


def test_codes_are_not_interpolated() -> None:
    with pytest.raises(ValueError, match="nearest"):
        align.interpolate(np.array([0, 1]), np.array([3, 4]), np.array([0]))


def test_an_empty_stream_is_named_and_knows_nothing() -> None:
    nothing = np.empty(0, np.int64)
    assert align.latest_before(nothing, np.array([5])).tolist() == [align.NOT_YET]
    assert not align.inside(nothing, np.array([5])).any()
    with pytest.raises(ValueError, match="no samples"):
        align.nearest(nothing, np.array([5]))


@given(ascending(), queries)
def test_inside_means_between_first_and_last(stamps: np.ndarray, query: np.ndarray) -> None:
    expected = [bool((stamps <= q).any() and (stamps >= q).any()) for q in query]
    assert align.inside(stamps, query).tolist() == expected
