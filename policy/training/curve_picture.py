"""Curves of a training as a picture: what is learned beside what is held out, over minutes.

Drawn with Pillow at twice the size and then made smaller, so that lines are smooth. Knows curves
and pixels, and nothing else.
"""

import math
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from policy.training.curves import Curve

WIDTH, HEIGHT = 1200, 480
_FINER = 2
_MARGIN = (70, 44, 130, 46)         # left, top, right (names of the lines), bottom
_INK, _FAINT, _PAPER = "#24292f", "#d8dee4", "#ffffff"
_COLOURS = ("#0969da", "#cf222e", "#1a7f37", "#9a6700", "#8250df", "#bf3989", "#57606a", "#0a7ea4")
_MOST = len(_COLOURS)
_MOST_MARKS = 10
_SANE = (1e-12, 1e12)               # what is beyond says only that something went wrong


class _Frame(NamedTuple):
    """Where a panel's curves are drawn, in fine pixels, and what its edges mean."""

    left: float
    top: float
    right: float
    bottom: float
    minutes: float
    low: float                      # log10 of the values at the edges
    high: float

    def place(self, minutes: float, value: float) -> tuple[float, float]:
        across = minutes / self.minutes
        up = (math.log10(value) - self.low) / (self.high - self.low)
        return (self.left + across * (self.right - self.left),
                self.bottom - up * (self.bottom - self.top))


def draw_curves(curves: Sequence[Curve], title: str) -> bytes:
    """The curves as a PNG: losses on the left, what is held out on the right, values on a log
    scale."""
    picture = Image.new("RGB", (WIDTH * _FINER, HEIGHT * _FINER), _PAPER)
    draw = ImageDraw.Draw(picture)
    half = WIDTH * _FINER / 2
    for number, (group, heading) in enumerate((("learned/", f"{title}: learned"),
                                               ("held out/", "held out"))):
        chosen = [c for c in curves if c.name.startswith(group)][:_MOST]
        _panel(draw, number * half, half, chosen, len(group), heading)
    out = BytesIO()
    picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


def _panel(draw: ImageDraw.ImageDraw, x: float, width: float, curves: Sequence[Curve],
           skip: int, heading: str) -> None:
    left, top, right, bottom = (margin * _FINER for margin in _MARGIN)
    draw.text((x + left, top * 0.3), heading, _INK, _font(15))
    values = [v for curve in curves for v in curve.values if _sane(v)]
    if not values:
        draw.text((x + left, top * 1.5), "nothing was reported", _INK, _font(12))
        return
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.05 * (high - low), 0.02)
    frame = _Frame(x + left, top, x + width - right, HEIGHT * _FINER - bottom,
                   max(max(c.minutes) for c in curves) or 1.0, low - room, high + room)
    _axes(draw, frame)
    ends = []
    for curve, colour in zip(curves, _COLOURS, strict=False):
        points = [frame.place(m, v) for m, v in zip(curve.minutes, curve.values, strict=True)
                  if _sane(v)]
        if len(points) > 1:
            draw.line(points, colour, 2 * _FINER, joint="curve")
        for at_x, at_y in points if len(points) <= 40 else ():
            spot = 2.5 * _FINER
            draw.ellipse((at_x - spot, at_y - spot, at_x + spot, at_y + spot), colour)
        if points:
            ends.append((points[-1][1], f"{curve.name[skip:]} {curve.values[-1]:.3g}", colour))
    _names(draw, frame, ends)


def _axes(draw: ImageDraw.ImageDraw, frame: _Frame) -> None:
    for value in _round_values(frame.low, frame.high):
        _, y = frame.place(0.0, value)
        draw.line((frame.left, y, frame.right, y), _FAINT, _FINER)
        draw.text((frame.left - 8 * _FINER, y), f"{value:.3g}", _INK, _font(11), anchor="rm")
    for minutes in _round_minutes(frame.minutes):
        x, _ = frame.place(minutes, 10 ** frame.low)
        draw.line((x, frame.top, x, frame.bottom), _FAINT, _FINER)
        draw.text((x, frame.bottom + 8 * _FINER), f"{minutes:g}", _INK, _font(11), anchor="mt")
    draw.text(((frame.left + frame.right) / 2, frame.bottom + 26 * _FINER), "minutes", _INK,
              _font(11), anchor="mt")


def _names(draw: ImageDraw.ImageDraw, frame: _Frame,
           ends: Sequence[tuple[float, str, str]]) -> None:
    """Each line's name at its end, moved down where names would overlap, up again at the floor."""
    height = 15 * _FINER
    ordered = sorted(ends)
    lowest = frame.bottom - height * (len(ordered) - 1)
    y = frame.top
    for number, (wanted, name, colour) in enumerate(ordered):
        y = max(y, min(wanted, lowest + number * height))
        draw.text((frame.right + 8 * _FINER, y), name, colour, _font(12), anchor="lm")
        y += height


def _round_values(low: float, high: float) -> list[float]:
    """Round values between two logarithms, of every decade or of some, as many as can be read."""
    for digits in ((1, 2, 5), (1, 3), (1,)):
        marks = [math.log10(digit) + decade for decade in range(math.floor(low), math.ceil(high))
                 for digit in digits if low <= math.log10(digit) + decade <= high]
        if len(marks) <= _MOST_MARKS:
            break
    every = -(-len(marks) // _MOST_MARKS) if marks else 1
    return [10 ** mark for mark in marks[::every]] or [10 ** ((low + high) / 2)]


def _round_minutes(longest: float) -> list[float]:
    """About six marks at round distances."""
    rough = longest / 6
    decade = 10.0 ** math.floor(math.log10(rough))
    step = next(digit * decade for digit in (1, 2, 5, 10) if digit * decade >= rough)
    return [round(i * step, 10) for i in range(int(longest / step + 1e-9) + 1)]


def _sane(value: float) -> bool:
    """Whether a value can be drawn on a log scale; NaN cannot."""
    return _SANE[0] <= value <= _SANE[1]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * _FINER)
