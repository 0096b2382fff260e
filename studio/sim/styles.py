"""Styles: the same job done by different people, so that demonstrations have more than one mode.

A style bends the way to a place and leaves the place itself alone: around by the left or by the
right, in a high arc or a low one, quickly or at leisure. It is a function of the present move and
of nothing before it, so a styled operator is as Markov as a plain one. Knows no goal.
"""

import math

import msgspec
import numpy as np

from studio.sim.moves import Move
from studio.sim.sight import Sight

NEAR_M, FAR_M = 0.03, 0.13  # aside of the aim: a style ends at the first and is full at the second
_STREAM = 29                # of the seed: a style does not shift what errors are drawn


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody goes about things."""

    detour_rad: float = 0.0
    """By how much the way across bends at first: to the left if positive."""
    arc_m: float = 0.0
    """Added to the height at which the way across is begun."""
    pace: float = 1.0
    """Share of the usual top speed."""


PLAIN = Style()


def draw_style(seed: int) -> Style:
    """One of eight kinds of people, each a little different every time."""
    rng = np.random.default_rng([seed, _STREAM])
    left, high, quick = rng.random(3) < 0.5
    bend, rise, haste = rng.uniform(0.8, 1.2, 3)
    return Style(detour_rad=(0.6 if left else -0.6) * bend, arc_m=0.06 * rise if high else 0.0,
                 pace=min(1.0, 1.0 * haste) if quick else 0.55 * haste)


def styled(move: Move, sight: Sight, style: Style) -> Move:
    """The move as somebody of this style makes it; pressing and lifting stay as they are."""
    if style == PLAIN or move.press_m_s is not None:
        return move
    across = move.target_m[:2] - sight.tool_m[:2]
    share = float(np.clip((math.hypot(*across) - NEAR_M) / (FAR_M - NEAR_M), 0.0, 1.0))
    cos, sin = math.cos(style.detour_rad * share), math.sin(style.detour_rad * share)
    bent = np.array([[cos, -sin], [sin, cos]]) @ across
    aim = np.array([*(sight.tool_m[:2] + bent), move.target_m[2] + style.arc_m * share])
    return msgspec.structs.replace(move, target_m=aim, speed_m_s=move.speed_m_s * style.pace)
