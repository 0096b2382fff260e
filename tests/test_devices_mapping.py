"""Axes and buttons to twist, clutch and gripper: laws that hold for every input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.devices.interfaces import DeviceError, DeviceStatus
from studio.devices.mapping import (
    AxisMapping,
    ClutchRule,
    DeviceMapping,
    GripperRule,
    at_rest,
    bounded_axes,
    deflections,
    human_input,
    next_state,
    twist_action,
    twist_of,
    unless_silent,
)

MS = 1_000_000
REPORT_MS = 8
DEFAULT, TWO_BUTTONS = DeviceMapping(), GripperRule()
anything = st.floats(allow_nan=True, allow_infinity=True)
unit = st.floats(-1.0, 1.0)
six = st.lists(unit, min_size=6, max_size=6)
mappings = st.builds(
    AxisMapping,
    source=st.permutations(range(6)).map(tuple),
    sign=st.tuples(*[st.sampled_from((1, -1))] * 6),
    scale=st.tuples(*[st.floats(0, 2)] * 6),
    dead_zone=st.floats(0, 0.9),
    expo=st.floats(0, 1),
)


@given(st.lists(anything, max_size=12))
def test_whatever_a_device_reports_becomes_eight_axes_in_range(values):
    axes = bounded_axes(values)
    assert axes.shape == (8,)
    assert np.all(np.abs(axes) <= 1.0)


@given(six, mappings)
def test_the_twist_never_exceeds_full_scale(values, mapping):
    twist = twist_of(deflections(bounded_axes(values), mapping), mapping)
    assert np.all(np.abs(twist) <= np.asarray(mapping.scale) + 1e-12)


@given(six, mappings)
def test_the_opposite_deflection_gives_the_opposite_twist(values, mapping):
    axes = bounded_axes(values)
    forth = twist_of(deflections(axes, mapping), mapping)
    back = twist_of(deflections(-axes, mapping), mapping)
    np.testing.assert_allclose(forth, -back, atol=1e-12)


@given(unit, unit, mappings)
def test_more_deflection_never_gives_less_speed(one, other, mapping):
    less, more = sorted((abs(one), abs(other)))
    slow, fast = (np.abs(twist_of(deflections(bounded_axes([x] * 6), mapping), mapping))
                  for x in (less, more))
    assert np.all(slow <= fast + 1e-12)


@given(mappings)
def test_full_deflection_gives_full_speed_whatever_the_curve(mapping):
    twist = twist_of(deflections(bounded_axes([1.0] * 6), mapping), mapping)
    np.testing.assert_allclose(twist, np.asarray(mapping.scale) * mapping.sign)


@given(st.floats(0, 0.9), unit)
def test_inside_the_dead_zone_nothing_moves_and_its_edge_is_no_step(dead_zone, place):
    mapping = AxisMapping(dead_zone=dead_zone)
    inside = deflections(bounded_axes([place * dead_zone] * 6), mapping)
    assert not np.any(inside)
    edge = deflections(bounded_axes([dead_zone + 1e-6] * 6), mapping)
    assert np.all(np.abs(edge) < 2e-5)


def test_order_and_sign_say_which_axis_drives_what():
    mapping = AxisMapping(source=(1, 0, 2, 3, 4, 5), sign=(1, -1, 1, 1, 1, 1), dead_zone=0.0)
    given_axes = bounded_axes([0.5, 0.25])
    np.testing.assert_allclose(deflections(given_axes, mapping)[:2], [0.25, -0.5])


@pytest.mark.parametrize("wrong", [
    {"source": (0, 1, 2, 3, 4, 9)}, {"sign": (1, 1, 1, 1, 1, 0)}, {"dead_zone": 1.0},
    {"scale": (-1.0, 0, 0, 0, 0, 0)}, {"scale": (float("nan"),) * 6}, {"expo": 2.0},
])
def test_a_mapping_that_makes_no_sense_is_refused_with_what_is_valid(wrong):
    with pytest.raises(DeviceError, match="use"):
        AxisMapping(**wrong)


def played(deflection_of_each_report, mapping=DEFAULT, buttons=0):
    """The state after reports of the first axis, one every 8 ms, and the time."""
    state, now_ns = at_rest(0), 0
    for deflection in deflection_of_each_report:
        now_ns += REPORT_MS * MS
        state = next_state(state, bounded_axes([deflection]), buttons, now_ns, mapping)
    return state, now_ns


NO_DEAD_ZONE = DeviceMapping(axes=AxisMapping(dead_zone=0.0))


def enabled(state, now_ns, mapping=NO_DEAD_ZONE):
    return human_input(state, mapping, now_ns).enabled


def test_one_sample_is_noise_and_two_are_meant():
    assert not enabled(*played([1.0], NO_DEAD_ZONE))
    assert enabled(*played([1.0, 1.0], NO_DEAD_ZONE))
    assert not enabled(*played([1.0, 0.0, 1.0], NO_DEAD_ZONE))


@given(st.lists(st.floats(-0.08, 0.08), max_size=50))
def test_below_the_enter_threshold_the_clutch_never_engages(deflections_given):
    assert not enabled(*played(deflections_given, NO_DEAD_ZONE))


@given(st.lists(st.floats(0.03, 1.0), max_size=100))
def test_between_the_thresholds_an_engaged_clutch_does_not_chatter(deflections_given):
    state, now_ns = played([1.0, 1.0, *deflections_given], NO_DEAD_ZONE)
    assert enabled(state, now_ns)
    assert enabled(state, now_ns + 10**10)      # and needs no new report to stay


def test_the_clutch_opens_300_ms_after_the_last_touch_with_or_without_reports():
    state, now_ns = played([1.0, 1.0, 0.0], NO_DEAD_ZONE)
    assert enabled(state, now_ns + 299 * MS)
    assert not enabled(state, now_ns + 300 * MS)
    state, now_ns = played([1.0, 1.0, *[0.0] * 60], NO_DEAD_ZONE)
    assert not enabled(state, now_ns)


def test_a_touch_within_300_ms_keeps_the_clutch_and_a_later_one_must_be_meant_again():
    state, now_ns = played([1.0, 1.0, *[0.0] * 30, 0.5, *[0.0] * 30], NO_DEAD_ZONE)
    assert enabled(state, now_ns)
    state, now_ns = played([1.0, 1.0, 0.0], NO_DEAD_ZONE)
    later_ns = now_ns + 400 * MS
    state = next_state(state, bounded_axes([1.0]), 0, later_ns, NO_DEAD_ZONE)
    assert not enabled(state, later_ns)
    state = next_state(state, bounded_axes([1.0]), 0, later_ns + 8 * MS, NO_DEAD_ZONE)
    assert enabled(state, later_ns + 8 * MS)


def test_with_a_dead_man_button_only_that_button_enables():
    mapping = DeviceMapping(clutch=ClutchRule(button=3))
    assert not enabled(*played([1.0] * 10, mapping), mapping)
    assert enabled(*played([0.0], mapping, buttons=1 << 3), mapping)
    state, now_ns = played([1.0, 1.0], mapping, buttons=1 << 3)
    released = next_state(state, bounded_axes([1.0]), 0, now_ns, mapping)
    assert not enabled(released, now_ns, mapping)       # at once, not 300 ms later


@given(st.lists(st.tuples(unit, st.integers(0, 15)), max_size=40))
def test_there_is_never_a_twist_without_the_clutch(samples):
    state = at_rest(0)
    for i, (deflection, buttons) in enumerate(samples):
        state = next_state(state, bounded_axes([deflection]), buttons, i * REPORT_MS * MS,
                           DeviceMapping())
        reading = human_input(state, DeviceMapping(), i * REPORT_MS * MS)
        assert reading.enabled or not np.any(reading.twist)


def pressed(*buttons_of_each_report, rule=TWO_BUTTONS):
    mapping, state, now_ns = DeviceMapping(gripper=rule), at_rest(0), 0
    for buttons in buttons_of_each_report:
        now_ns += REPORT_MS * MS
        state = next_state(state, bounded_axes([]), buttons, now_ns, mapping)
    return state, mapping, now_ns


CLOSE, OPEN = 1, 2


def test_left_closes_right_opens_and_both_together_ask_for_nothing():
    assert human_input(*pressed(CLOSE)).gripper == 0.0
    assert human_input(*pressed(OPEN)).gripper == 1.0
    assert human_input(*pressed(CLOSE | OPEN)).gripper is None
    assert human_input(*pressed(0)).gripper is None


def test_a_short_press_is_reported_for_50_ms_and_then_leaves_the_gripper_alone():
    state, mapping, now_ns = pressed(CLOSE, 0)
    assert human_input(state, mapping, now_ns + 41 * MS).gripper == 0.0
    assert human_input(state, mapping, now_ns + 42 * MS).gripper is None
    state, mapping, now_ns = pressed(CLOSE)
    assert human_input(state, mapping, now_ns + 10**10).gripper == 0.0      # still held


def test_with_toggle_every_press_of_the_one_button_alternates():
    rule = GripperRule(toggle=True)
    assert human_input(*pressed(CLOSE, rule=rule)).gripper == 0.0
    assert human_input(*pressed(CLOSE, CLOSE, CLOSE, rule=rule)).gripper == 0.0
    assert human_input(*pressed(CLOSE, 0, CLOSE, rule=rule)).gripper == 1.0
    assert human_input(*pressed(CLOSE, 0, CLOSE, 0, CLOSE, rule=rule)).gripper == 0.0


def test_a_deflected_device_that_falls_silent_is_stale_and_a_resting_one_is_not():
    state, now_ns = played([1.0] * 5)
    assert unless_silent(state, DeviceMapping(), now_ns + 60 * MS, 60).enabled
    stale = unless_silent(state, DeviceMapping(), now_ns + 61 * MS, 60)
    assert stale.status == DeviceStatus.STALE
    assert not stale.enabled and not np.any(stale.twist)
    state, now_ns = played([1.0, 1.0, 0.0])
    assert unless_silent(state, DeviceMapping(), now_ns + 10**12, 60).status == DeviceStatus.OK


def test_the_action_keeps_the_last_opening_asked_for():
    state, mapping, now_ns = pressed(CLOSE, 0)
    later = human_input(state, mapping, now_ns + 10**9)
    assert later.gripper is None
    assert twist_action(later, state.gripper.wanted)["gripper"] == 0.0
