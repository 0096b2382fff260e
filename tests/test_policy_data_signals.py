"""What a policy feels is the same in training and at the robot, and never from the future."""

import numpy as np
import pytest
from doubles import moving_tool
from doubles.moving_tool import SPEC, START_NS, STREAMS, Story
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.data.commands import base_at
from policy.data.demonstrations import require_streams
from policy.data.live_signals import KEEP_S, LiveSignals
from policy.data.proprioception import PARTS, layout, proprioception, smallest_spread
from policy.data.signals import EpisodeSignals, MissingSignal, latest, mean_over
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from recorders.streams import Batch, StreamSpec

STORY = Story()
BATCHES = moving_tool.batches(STORY)
MOMENTS_NS = moving_tool.stamps_ns(moving_tool.FRONT)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> EpisodeSignals:
    with moving_tool.open_store(tmp_path_factory.mktemp("signals") / "store") as store:
        summary = moving_tool.record(store, STORY)
        return EpisodeSignals(EpisodeReader(store.episode_path(summary.episode)))


def pieces(until_ns: int, rng: np.random.Generator) -> list[Batch]:
    """All rows up to a moment, cut anyhow, each stream in its order."""
    cut = []
    for batch in BATCHES:
        rows = batch.rows[batch.rows["t_mono_ns"] <= until_ns]
        marks = np.sort(rng.integers(0, len(rows) + 1, 6))
        cut += [(part[0]["t_mono_ns"], Batch(batch.stream, part))
                for part in np.split(rows, marks) if len(part)]
    return [batch for _, batch in sorted(cut, key=lambda pair: pair[0])]


@given(moment=st.integers(1, len(MOMENTS_NS) - 1), late_ms=st.integers(0, 60),
       seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_live_and_recorded_proprioception_are_the_same_numbers(recorded, moment, late_ms, seed):
    moments_ns = MOMENTS_NS[moment:moment + 1]
    live = LiveSignals(STREAMS)
    live.take(pieces(int(moments_ns[0]) + late_ms * 1_000_000, np.random.default_rng(seed)))
    felt = proprioception(SPEC.proprioception, live, moments_ns)
    np.testing.assert_allclose(felt, proprioception(SPEC.proprioception, recorded, moments_ns),
                               rtol=1e-6, atol=1e-7)
    for space in ("tool", "joints"):
        np.testing.assert_array_equal(base_at(live, moments_ns, space),
                                      base_at(recorded, moments_ns, space))


@given(moment=st.integers(1, len(MOMENTS_NS) - 1), after_ms=st.integers(1, 400))
@settings(max_examples=30)
def test_what_comes_after_a_moment_does_not_change_what_was_felt(moment, after_ms):
    moments_ns = MOMENTS_NS[moment:moment + 1]
    now, later = LiveSignals(STREAMS), LiveSignals(STREAMS)
    rng = np.random.default_rng(0)
    now.take(pieces(int(moments_ns[0]), rng))
    later.take(pieces(int(moments_ns[0]) + after_ms * 1_000_000, rng))
    np.testing.assert_allclose(proprioception(SPEC.proprioception, now, moments_ns),
                               proprioception(SPEC.proprioception, later, moments_ns), atol=1e-7)


def test_every_part_lies_where_the_layout_says(recorded):
    places = layout(SPEC.proprioception, recorded.streams)
    felt = proprioception(SPEC.proprioception, recorded, MOMENTS_NS)
    assert felt.shape == (len(MOMENTS_NS), max(place.stop for place in places.values()))
    assert felt.dtype == np.float32
    for part, place in places.items():
        np.testing.assert_array_equal(felt[:, place],
                                      proprioception([part], recorded, MOMENTS_NS))
    assert len(smallest_spread(SPEC.proprioception, recorded.streams)) == felt.shape[1]


def test_parts_mean_what_their_names_say(recorded):
    moments_ns = np.array([START_NS + 3 * NS_PER_S // 2])       # 1.5 s: gripper closed, touching
    tool, gripper, lag, touch = (proprioception([part], recorded, moments_ns)[0]
                                 for part in ("tool", "gripper", "lag", "touch"))
    at_s = np.array([1.5 - 0.007])          # the tick before: they come at 3, 13, 23 ms
    sent = moving_tool.command(STORY, at_s)[0]
    np.testing.assert_allclose(tool[:3] + lag, sent[:3], atol=1e-6)
    np.testing.assert_allclose(lag, 0.05 * moving_tool.SPEED, atol=1e-6)    # 50 ms behind
    turned = moving_tool.TURN_RAD_S * (at_s[0] - 0.05)
    np.testing.assert_allclose(tool[3:], [np.cos(turned), np.sin(turned), 0,
                                          -np.sin(turned), np.cos(turned), 0], atol=1e-6)
    np.testing.assert_allclose(gripper, moving_tool.joints(at_s)[0, -1:].repeat(2), atol=1e-6)
    np.testing.assert_allclose(touch, np.tanh(4 / 5), atol=1e-6)


def test_a_mean_is_over_the_span_before_the_moment(recorded):
    moments_ns = np.array([START_NS, START_NS + NS_PER_S])
    means = mean_over(recorded, "contact", "wrench", moments_ns, 50_000_000)
    rows = next(batch.rows for batch in BATCHES if batch.stream == "contact")
    np.testing.assert_allclose(means[0], rows["wrench"][0])     # nothing before the first
    within = (rows["t_mono_ns"] > START_NS + 950_000_000) & \
        (rows["t_mono_ns"] <= START_NS + NS_PER_S)
    assert within.sum() == 25
    np.testing.assert_allclose(means[1], rows["wrench"][within].mean(axis=0), rtol=1e-6)


def test_before_the_first_row_the_first_stands_in(recorded):
    early = np.array([START_NS - NS_PER_S])
    rows = next(batch.rows for batch in BATCHES if batch.stream == "arm")
    np.testing.assert_array_equal(latest(recorded, "arm", "position", early)[0],
                                  rows["position"][0])


def test_a_robot_that_lacks_a_column_is_refused_in_one_sentence_that_lists_what_it_has():
    without = tuple(spec for spec in STREAMS if spec.name != "contact")
    with pytest.raises(MissingSignal) as refusal:
        require_streams(SPEC, without, "this robot")
    said = str(refusal.value)
    assert "contact/touch" in said and "'touch'" in said and "this robot" in said
    assert "arm: position, tool_pose" in said and "\n" not in said
    with pytest.raises(MissingSignal, match="contact/touch"):
        LiveSignals(without).series("contact", "touch")


def test_an_unknown_part_is_named_beside_the_valid_ones(recorded):
    with pytest.raises(ValueError, match=r"'smell': valid are .*tool.*objects"):
        layout(["tool", "smell"], recorded.streams)
    assert set(PARTS) == {"tool", "gripper", "lag", "touch", "force", "joints", "objects"}


def test_before_anything_arrived_the_robot_is_waited_for():
    live = LiveSignals(STREAMS)
    assert live.newest_ns("arm") is None and not live.has_rows([("arm", "position")])
    with pytest.raises(MissingSignal, match="nothing of 'arm' has arrived yet"):
        live.series("arm", "position")
    live.take([BATCHES[1]])
    assert live.newest_ns("arm") == BATCHES[1].rows["t_mono_ns"][-1]
    assert live.has_rows([("arm", "position")])
    live.clear()
    assert not live.has_rows([("arm", "position")])


@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=30))
@settings(max_examples=40)
def test_the_kept_past_is_the_newest_half_second_whole_and_in_order(sizes):
    spec = StreamSpec(name="fast", rate_hz=100.0, columns=moving_tool.SIM.columns)
    live, begin, everything = LiveSignals([spec]), 0, []
    for size in sizes:                      # comes at 250 Hz, though 100 were declared
        rows = np.zeros(size, spec.row_dtype)
        rows["t_mono_ns"] = (begin + np.arange(size)) * 4_000_000
        rows["objects"] = (begin + np.arange(size))[:, None, None]
        live.take([Batch("fast", rows), Batch("unknown", rows)])
        everything.append(rows)
        begin += size
        rows = np.concatenate(everything)
        kept = rows[rows["t_mono_ns"] >= rows["t_mono_ns"][-1] - KEEP_S * NS_PER_S]
        stamps_ns, values = live.series("fast", "objects")
        np.testing.assert_array_equal(stamps_ns, kept["t_mono_ns"])
        np.testing.assert_array_equal(values, kept["objects"])


def test_when_time_begins_anew_the_old_past_is_forgotten():
    live = LiveSignals([moving_tool.SIM])
    late = np.zeros(5, moving_tool.SIM.row_dtype)
    late["t_mono_ns"] = 10**12 + np.arange(5)
    early = late.copy()
    early["t_mono_ns"] = np.arange(5)
    live.take([Batch("sim", late), Batch("sim", early)])
    np.testing.assert_array_equal(live.series("sim", "objects")[0], np.arange(5))
