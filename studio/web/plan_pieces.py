"""HTML of the plan that runs: a small drawing for each number, with now in the middle.

Behind now the way that was driven, and where a person drove; ahead what the policy proposed, what
stands, and what was fixed. Knows tags and classes; refuses to know how anything came about.
"""

from collections.abc import Sequence
from html import escape

from studio.views.live_plan import PAST_S
from studio.views.plan_lines import PlanLine, Points
from studio.web.pieces import text

_WIDTH, _HEIGHT = 320.0, 90.0       # of a drawing, in its own units
_LEAST = 0.03                       # in the line's unit: a plan that stands still is drawn as one
_KEY = (("past", "driven"), ("hand", "a person drove"), ("proposed", "proposed"),
        ("ahead", "as it stands"), ("fixed", "fixed"))


def plan(lines: Sequence[PlanLine], words: str) -> str:
    """All lines of a plan.

    Args:
        lines: none if no plan runs.
        words: what stands above them.
    """
    if not lines:
        return '<div class="empty">No plan runs</div>'
    last_s = max(s for line in lines for s, _ in (*line.ahead, *line.proposed, (0.1, 0.0)))
    key = "".join(f'<span class="key {name}">{says}</span>' for name, says in _KEY)
    return (f"<p>{text(words, 200)}</p><div class=\"plan-key\">{key}</div>"
            f'<div class="curves plan">{"".join(_drawing(line, last_s) for line in lines)}</div>')


def _drawing(line: PlanLine, last_s: float) -> str:
    values = [value for part in (line.past, line.proposed, line.ahead, line.fixed)
              for _, value in part]
    middle, half = (min(values) + max(values)) / 2, max(max(values) - min(values), _LEAST) / 2

    def x(s: float) -> float:
        return _WIDTH * (s + PAST_S) / (PAST_S + last_s)

    def y(value: float) -> float:
        return _HEIGHT * (0.5 - 0.45 * (value - middle) / half)

    def way(points: Points, kind: str) -> str:
        joined = " ".join(f"{x(s):.1f},{y(value):.1f}" for s, value in points)
        return f'<polyline class="{kind}" points="{joined}"/>'

    hands = "".join(f'<rect class="hand" x="{x(begin):.1f}" y="0" height="{_HEIGHT:g}" '
                    f'width="{x(end) - x(begin):.1f}"/>' for begin, end in line.hands)
    fixed = "".join(f'<circle class="fixed" cx="{x(s):.1f}" cy="{y(value):.1f}" r="4"/>'
                    for s, value in line.fixed)
    now = f'<line class="now" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{_HEIGHT:g}"/>'
    newest = f"{line.ahead[-1][1]:.3f} {line.unit}" if line.ahead else "over"
    return (f'<figure class="curve"><figcaption>{escape(line.name)} <b>{newest}</b></figcaption>'
            f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" preserveAspectRatio="none" role="img" '
            f'aria-label="plan: {escape(line.name)}">{hands}{now}{way(line.past, "past")}'
            f'{way(line.proposed, "proposed")}{way(line.ahead, "ahead")}{fixed}</svg></figure>')
