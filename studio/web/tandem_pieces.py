"""HTML of a policy that drives: how it does, who drives each axis, what is said, what is learned.

Plain functions of what the views say; every text is escaped. Knows tags and classes; refuses to
know how anything came about.
"""

from collections.abc import Sequence
from html import escape

from studio.station.training.training_link import DrawnCurve, VersionsState
from studio.views.alert_lamp import AlertLamp
from studio.views.dialogue import Line
from studio.views.lamps import Lamp
from studio.views.policy_words import PolicyWords
from studio.views.training_words import TrainingWords, VersionRow, telling
from studio.web.pieces import facts, glyph, notice, text

_WIDTH, _HEIGHT = 320, 110      # of a curve, in its own units


def policy(shown: PolicyWords) -> str:
    """The policy: its state, its version, what System 2 says, rates, what it had to wait for."""
    head = (f'<p class="toned tone-{escape(shown.tone)}">{glyph(shown.icon)} '
            f"<b>{escape(shown.word)}</b> "
            f"{text(shown.detail or shown.told or shown.says, 200)}</p>")
    if not shown.version:
        return head
    return head + facts([
        ("Run", text(shown.name)), ("Weights", text(shown.version)),
        ("System 2 says", text(shown.says or "–")),
        *([("A person says", text(shown.told))] if shown.told else []),
        ("Latent", text(f"{shown.latent} old")),
        ("Rates", text(shown.rates)), ("Had to wait", text(shown.starved or "never"))])


def alert(shown: AlertLamp) -> str:
    """Whether it asks for help, and every signal against its limit."""
    head = (f'<p class="toned tone-{escape(shown.tone)}" role="status">{glyph(shown.icon)} '
            f"<b>{escape(shown.word)}</b> {text(shown.says, 200)}</p>")
    return head + "".join(
        f'<div class="axis signal tone-{escape(bar.tone)}" title="{escape(bar.words)}">'
        f"<span>{escape(bar.name)}</span>"
        f'<div class="track"><div class="fill" style="left:0;width:{100 * bar.share:.1f}%"></div>'
        f"</div><span>{glyph(bar.icon)} {escape(bar.text)}</span></div>" for bar in shown.bars)


def lamps(shown: Sequence[Lamp]) -> str:
    """Who drives each axis now."""
    return '<div class="lamps">' + "".join(
        f'<div class="lamp tone-{escape(lamp.tone)}"><span class="axis">{escape(lamp.axis)}</span>'
        f"{glyph(lamp.icon)} <span>{escape(lamp.word)}</span></div>" for lamp in shown) + "</div>"


def dialogue(lines: Sequence[Line]) -> str:
    """What was said, newest last."""
    if not lines:
        return '<div class="empty">Nothing was said yet</div>'
    return '<div class="dialogue" role="log">' + "".join(
        f'<div class="line tone-{escape(line.tone)}"><span class="time">{escape(line.time or "–")}'
        f"</span>{glyph(line.icon)} <b>{escape(_onlooker(line.who))}</b> {text(line.words, 300)}"
        "</div>" for line in lines[-12:]) + "</div>"


def _onlooker(who: str) -> str:
    return "Person" if who == "You" else who


def training(shown: TrainingWords, curves: Sequence[DrawnCurve]) -> str:
    """How a training goes, with the curves that tell whether it gets better."""
    bar = (f'<progress max="1" value="{shown.share:.3f}"></progress>'
           if shown.share > 0 else "")
    return (f'<p class="toned tone-{escape(shown.tone)}">{glyph(shown.icon)} '
            f"<b>{escape(shown.word)}</b> {text(shown.detail, 300)}</p>{bar}"
            + facts((name, text(value)) for name, value in shown.facts)
            + _drawn(telling(curves)[0]))


def losses(curves: Sequence[DrawnCurve]) -> str:
    """The parts of the loss; empty before there is a line to draw."""
    return _drawn(telling(curves)[1])


def _drawn(curves: Sequence[DrawnCurve]) -> str:
    drawn = "".join(map(curve, curves))
    return f'<div class="curves">{drawn}</div>' if drawn else ""


def curve(shown: DrawnCurve) -> str:
    """A quantity over minutes, as a small drawing with its newest value."""
    values = [value for value in shown.values if value == value]
    if len(values) < 2 or len(values) != len(shown.values):
        return ""
    low, high = min(values), max(values)
    first, last = shown.minutes[0], shown.minutes[-1]
    points = " ".join(
        f"{_WIDTH * (at - first) / max(last - first, 1e-9):.1f},"
        f"{_HEIGHT * (1 - (value - low) / max(high - low, 1e-12)):.1f}"
        for at, value in zip(shown.minutes, shown.values, strict=True))
    return (f'<figure class="curve"><figcaption>{text(shown.name)} <b>{values[-1]:.4g}</b>'
            f"</figcaption><svg viewBox=\"-4 -4 {_WIDTH + 8} {_HEIGHT + 8}\" role=\"img\" "
            f'aria-label="{escape(shown.name)}"><polyline points="{points}"/></svg>'
            f"<span>{low:.3g} to {high:.3g}, {_minutes(first)} to {_minutes(last)} min</span>"
            "</figure>")


def _minutes(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def versions(rows: Sequence[VersionRow], known: VersionsState | None) -> str:
    """Every version, newest first, and the last decision."""
    said = ""
    if known is not None and (known.doing or known.decision):
        said = notice(known.doing or known.decision,
                      "policy" if known.doing else "warning" if known.refused else "ready",
                      "loader-circle" if known.doing else "circle-x" if known.refused
                      else "circle-check")
    if not rows:
        return said + '<div class="empty">Versions of the policy appear here</div>'
    return said + "<table><tr><th></th><th>Standing</th><th>Learned and measured</th><th></th>" \
        "</tr>" + "".join(
            f'<tr><th>{escape(row.words)}</th><td class="tone-{escape(row.tone)} said">'
            f"{glyph(row.icon)} {escape(row.standing)}</td><td>{text(row.figures, 120)}</td>"
            f"<td>{text(row.says, 120)}</td></tr>" for row in rows) + "</table>"
