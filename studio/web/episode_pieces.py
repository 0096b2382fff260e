"""Episodes as pieces of HTML: the rows of the list, the player, what is known of one episode.

Every text that came from a person or a file passes `pieces.text`. Knows view models and class
names of desk.css; refuses to know routes and Gradio.
"""

from collections.abc import Collection, Sequence
from html import escape

import msgspec

from studio.views.episode_rows import EpisodeRow
from studio.views.interrupted import CHOICES, InterruptedRow, heading
from studio.views.player import PlayerView, trim_sentence
from studio.views.words import duration, plain
from studio.web.pieces import facts, glyph, notice, text

STRIP_WIDTH, STRIP_HEIGHT = 1000, 48        # of the drawing below the pictures; it is stretched


def listing(rows: Sequence[EpisodeRow], picked: Collection[str], focus: str, trouble: str) -> str:
    """A page of the list."""
    said = notice(trouble, "fault", "circle-alert") if trouble else ""
    if not rows:
        return said + ('<div class="empty">No episode to show: record one, or change the filter'
                       "</div>")
    return said + '<div class="episodes" role="listbox" aria-label="Episodes">' + "".join(
        _row(row, row.episode in picked, row.episode == focus) for row in rows) + "</div>"


def store(path: str) -> str:
    """Which store is meant."""
    return (f'<div class="store">{glyph("database")} {text(path, 120)}</div>' if path else
            f'<div class="store">{glyph("database")} No store is open</div>')


def interrupted(rows: Sequence[InterruptedRow]) -> str:
    """The question about each interrupted episode; nothing for none."""
    if not rows:
        return ""
    return (f'<div class="notice tone-warning interrupted" role="group">{glyph("triangle-alert")}'
            f"<div><b>{escape(heading(len(rows)))}</b>" + "".join(map(_question, rows))
            + "</div></div>")


def _question(row: InterruptedRow) -> str:
    buttons = "".join(
        f'<button type="button" data-settle="{name}" data-of="{escape(row.episode)}">{words}'
        "</button>" for name, words, _ in CHOICES)
    damage = f"<div>{text(row.damage)}</div>" if row.damage else ""
    return (f'<div class="question"><div>{escape(row.when)} · {escape(row.length)} · '
            f"{text(row.words)}</div>{damage}<div class=\"choices\">{buttons}</div></div>")


def _row(row: EpisodeRow, picked: bool, focused: bool) -> str:
    marks = "".join(f" {name}" for name, is_so in (("picked", picked), ("focus", focused)) if is_so)
    drops = f"<span>{escape(row.drops)}</span>"
    if row.dropped:
        drops = f'<span class="tone-warning toned">{glyph("triangle-alert")} {row.drops}</span>'
    recovered = '<span class="tag">recovered</span>' if row.recovered else ""
    return (
        f'<div class="episode{marks}" data-episode="{escape(row.episode)}" tabindex="0" '
        f'role="option" aria-selected="{str(focused).lower()}">'
        f'<input type="checkbox" data-pick aria-label="Select episode {row.number}"'
        f'{" checked" if picked else ""}>'
        '<img loading="lazy" decoding="async" alt="" '
        f'src="/episodes/{escape(row.episode)}/thumb.jpg">'
        f'<div class="what"><div class="head"><b>{row.number}</b><span>{escape(row.when)}</span>'
        f"<span>{text(row.task, 40)}</span>{recovered}</div>"
        f'<div class="instruction">{text(row.instruction)}</div>'
        f'<div class="small"><span>{escape(row.length)}</span>{drops}'
        f"<span>{glyph('user-round')} {text(row.driver, 40)}</span></div></div>"
        f'<div class="label tone-{escape(row.label_tone)}">{glyph(row.label_icon)}'
        f"<span>{escape(row.label_word)}</span></div></div>")


def player(view: PlayerView | None) -> str:
    """The pictures, the strip and the buttons; desk.js moves them."""
    if view is None:
        return '<div class="empty tall">Choose an episode on the left</div>'
    trouble = notice(view.trouble, "fault", "circle-alert") if view.trouble else ""
    if not view.cameras and not view.speed:
        return trouble or notice("This episode holds no pictures")
    told = msgspec.json.encode({"episode": view.episode, "length": view.length_s,
                                "cameras": view.cameras}).decode()
    pictures = "".join(
        f'<figure><img data-frame="{escape(camera)}" alt="Camera {escape(camera)}">'
        f"<figcaption>{escape(camera)}</figcaption></figure>" for camera in view.cameras)
    speeds = "".join(f'<option value="{speed}"{" selected" if speed == 1 else ""}>{speed}×</option>'
                     for speed in (0.25, 0.5, 1, 2, 4))
    return (
        f'{trouble}<div class="player" data-player="{escape(told)}">'
        f'<div class="stage">{pictures}</div>{_strip(view)}'
        f'<input type="range" data-scrub min="0" max="{view.length_s:.3f}" step="0.01" value="0" '
        f'aria-label="Time in the episode">'
        '<div class="buttons">'
        f'{_button("step-back", "back", "One picture back")}'
        f'{_button("play", "play", "Play or pause")}'
        f'{_button("step-forward", "forward", "One picture on")}'
        f'<select data-speed aria-label="Speed">{speeds}</select>'
        f'<span class="time"><span data-at>{duration(0)}</span> / {duration(view.length_s)}</span>'
        '<span class="mark" data-mark></span></div></div>')


def _button(icon_name: str, does: str, title: str) -> str:
    return (f'<button type="button" data-do="{does}" title="{title}" aria-label="{title}">'
            f"{glyph(icon_name)}</button>")


def _strip(view: PlayerView) -> str:
    """How fast the arm moved, what could be left away, and what happened."""
    length_s = view.length_s or 1.0
    step = STRIP_WIDTH / max(1, len(view.speed))
    low = STRIP_HEIGHT - 1
    curve = " ".join(f"{(number + 0.5) * step:.1f},{low - speed * (STRIP_HEIGHT - 6):.1f}"
                     for number, speed in enumerate(view.speed))
    area = f'<polygon points="0,{low} {curve} {STRIP_WIDTH},{low}"></polygon>' if curve else ""
    gone = ""
    if view.trim is not None:
        spans = ((0.0, view.trim.start_s), (view.trim.end_s, length_s))
        gone = "".join(
            f'<i class="idle" style="left:{100 * start / length_s:.2f}%;'
            f'width:{100 * (end - start) / length_s:.2f}%"></i>'
            for start, end in spans if end > start)
    marks = "".join(
        f'<i class="event" data-at-s="{mark.at_s}" data-what="{escape(plain(mark.what)[:120])}" '
        f'style="left:{100 * min(1.0, max(0.0, mark.at_s / length_s)):.2f}%" '
        f'title="{duration(mark.at_s)} {escape(plain(mark.what)[:120])}"></i>'
        for mark in view.marks)
    return (f'<div class="strip"><svg viewBox="0 0 {STRIP_WIDTH} {STRIP_HEIGHT}" '
            f'preserveAspectRatio="none" aria-hidden="true">{area}</svg>{gone}{marks}'
            '<i class="now" data-now></i></div>'
            '<div class="legend">Speed of the arm; idle time is hatched, ticks are events</div>')


def about(row: EpisodeRow | None) -> str:
    """What is known of the chosen episode."""
    if row is None:
        return ""
    judged = f"{row.label_word} · said by {row.judged_by}" if row.judged_by else row.label_word
    return facts([
        ("Episode", f"{row.number} · {text(row.episode)}"), ("Task", text(row.task)),
        ("Instruction", text(row.instruction_full)), ("Label", text(judged)),
        ("Note", text(row.note or "–")), ("Operator", text(row.operator or "–")),
        ("Who drove", text(row.driver)), ("Length", f"{row.length}, {row.drops}")])


def trim(view: PlayerView | None) -> str:
    """What could be left away."""
    if view is None or view.trim is None:
        return '<div class="quiet">No idle time worth leaving away</div>'
    kept = f"{view.trim.start_s:.2f}–{view.trim.end_s:.2f} s"
    return (f'<div class="notice tone-policy">{glyph("scissors")} {trim_sentence(view.trim)}. '
            f"Proposed: keep {kept}. Nothing is cut; the proposal is kept as a note</div>")
