"""How chunks are joined: what each way makes of two that disagree."""

import math

import numpy as np
import pytest

from studio.station.chunks.joining import Joining, Targets

STEP_NS = 33_000_000


def said(first_step: int, place: float, gripper: float = 1.0, steps: int = 4) -> Targets:
    """A chunk in joints that stays at a place."""
    stamps_ns = STEP_NS * np.arange(first_step, first_step + steps + 1, dtype=np.int64)
    knots = np.tile([place, gripper], (steps + 1, 1))
    return Targets("joints", stamps_ns, knots)


def places(join, *chunks: Targets) -> list[float]:
    joining, joined = Joining(join), chunks[0]
    for number, chunk in enumerate(chunks):
        joined = joining.joined(chunk, number * STEP_NS)
    return joined.knots[1:, 0].tolist()


@pytest.mark.parametrize("join", ["guided", "latest"])
def test_the_newest_is_played_alone(join):
    assert places(join, said(0, 0.0), said(1, 1.0)) == [1.0] * 4


def test_an_average_is_three_tenths_of_what_was_to_be_played():
    assert places("weighted-average", said(0, 0.0), said(1, 1.0)) == \
        pytest.approx([0.7, 0.7, 0.7, 1.0])             # the last was not spoken of before
    assert places("weighted-average", said(0, 0.0), said(1, 1.0), said(2, 1.0)) == \
        pytest.approx([0.91, 0.91, 1.0, 1.0])


def test_an_ensemble_weighs_all_that_speak_of_a_moment_the_oldest_most():
    w = [math.exp(-0.01 * i) for i in range(3)]
    three = (w[1] + 2 * w[2]) / sum(w)
    two = (w[0] + 2 * w[1]) / (w[0] + w[1])
    assert places("ensemble", said(0, 0.0), said(1, 1.0), said(2, 2.0)) == \
        pytest.approx([three, three, two, 2.0])


@pytest.mark.parametrize("join", ["ensemble", "weighted-average"])
def test_a_gripper_is_never_told_to_half_close(join):
    joining = Joining(join)
    joining.joined(said(0, 0.0, 1.0), 0)
    joined = joining.joined(said(1, 0.0, 0.0), STEP_NS)
    assert set(joined.knots[:, -1].tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("join", ["ensemble", "weighted-average"])
def test_what_was_forgotten_or_is_over_has_no_say(join):
    joining = Joining(join)
    joining.joined(said(0, 0.0), 0)
    assert joining.joined(said(9, 1.0), 9 * STEP_NS).knots[1:, 0].tolist() == [1.0] * 4
    joining.forget()
    assert joining.joined(said(10, 2.0), 10 * STEP_NS).knots[1:, 0].tolist() == [2.0] * 4


@pytest.mark.parametrize("join", ["guided", "latest", "ensemble", "weighted-average"])
def test_the_command_that_was_seen_is_never_averaged_away(join):
    joining = Joining(join)
    joining.joined(said(0, 0.0), 0)
    assert joining.joined(said(1, 1.0), STEP_NS).knots[0].tolist() == [1.0, 1.0]
