"""The time of plans: the clock's own until it is told, gradual when it is, and never backwards."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.station.chunks.plan_time import PlanTime

TICK_NS = 10_000_000


def run(time: PlanTime, ticks: int, since: int = 0) -> list[int]:
    return [time.advance((since + number) * TICK_NS) for number in range(ticks)]


def test_it_is_the_clock_s_until_it_is_told():
    time = PlanTime()
    assert run(time, 50, 7) == [(7 + number) * TICK_NS for number in range(50)]
    assert time.at(12_345_678) == 12_345_678 and time.at(10**12) == 10**12


def test_slowed_plans_take_as_much_longer_after_a_gradual_change():
    time = PlanTime()
    run(time, 10)
    time.scale = 0.25
    moments = run(time, 200, 10)
    assert moments[-1] - moments[-101] == pytest.approx(0.25 * 100 * TICK_NS, abs=100)
    steps = [b - a for a, b in pairwise(moments)]
    assert max(abs(b - a) for a, b in pairwise(steps)) <= 0.05 * TICK_NS


def test_it_stands_exactly_where_it_is_told_to_and_brakes_on_the_way():
    time = PlanTime()
    run(time, 10)
    time.stop_at(stop_ns := 40 * TICK_NS + 3)
    moments = run(time, 100, 10)
    assert moments[-1] == stop_ns and time.stood_ns is not None
    steps = [b - a for a, b in pairwise(moments)]
    assert max(a - b for a, b in pairwise(steps)) < 0.1 * TICK_NS
    time.go()
    assert run(time, 3, 110)[-1] > stop_ns


def test_a_brake_stops_within_a_quarter_of_a_second_without_a_jerk():
    time = PlanTime()
    run(time, 10)
    stop_ns = time.brake()
    assert stop_ns - time.now_ns == pytest.approx(125_000_000, rel=0.01)
    assert run(time, 40, 10)[-1] == stop_ns


events = st.lists(st.one_of(
    st.tuples(st.just("run"), st.integers(1, 20)), st.tuples(st.just("scale"), st.floats(0.1, 1)),
    st.tuples(st.just("stop"), st.integers(-10, 40)), st.tuples(st.just("go"), st.just(0)),
    st.tuples(st.just("brake"), st.just(0))), max_size=12)


@given(events)
def test_it_never_goes_back_and_never_faster_than_the_clock(happened):
    time, tick = PlanTime(), 1
    moments = run(time, 1, tick)
    for kind, value in happened:
        match kind:
            case "run":
                moments += run(time, int(value), tick + 1)
                tick += int(value)
            case "scale":
                time.scale = float(value)
            case "stop":
                time.stop_at(time.now_ns + int(value) * TICK_NS)
            case "go":
                time.go()
            case "brake":
                time.brake()
    assert all(0 <= b - a <= TICK_NS for a, b in pairwise(moments))
    if tick > 1:
        assert time.at(tick * TICK_NS) == moments[-1]           # what was told is remembered
        assert moments[-2] <= time.at(tick * TICK_NS - TICK_NS // 2) <= moments[-1]
