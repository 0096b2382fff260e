"""What is shown, as pieces of HTML: view models in, text out.

Every text that came from a person, a device or a file passes `escape`; a tone never stands alone.
Knows view models and class names of desk.css; refuses to know routes and Gradio.
"""

from collections.abc import Iterable, Sequence
from html import escape

import msgspec

from recorders.quality import Quality
from studio.station.desk.link import DeskState
from studio.station.messages import Snapshot
from studio.views.banner import Banner
from studio.views.device_values import Axis, device_of
from studio.views.health_bar import Gauge
from studio.views.icons import icon
from studio.views.words import duration, plain, sentence, shortened
from studio.web.jobs import JobView

LETTERS = 400           # of a text that somebody may have made absurdly long


def glyph(name: str) -> str:
    """An icon; hidden from screen readers, which read the word beside it."""
    return f'<span class="glyph" aria-hidden="true">{icon(name)}</span>'


def text(said: str, most: int = LETTERS) -> str:
    """A person's text on one line, safe in HTML; the rest is a tooltip away."""
    short = shortened(said, most)
    if short == plain(said):
        return f"<bdi>{escape(short)}</bdi>"
    return f'<bdi title="{escape(plain(said)[:4 * LETTERS])}">{escape(short)}</bdi>'


def banner(shown: Banner) -> str:
    """The state, large."""
    time = f'<span class="time">{escape(shown.time)}</span>' if shown.time else ""
    driver = f'<span class="driver">Driver: {escape(shown.driver)}</span>' if shown.driver else ""
    return (f'<div class="banner tone-{escape(shown.tone)}" role="status">{glyph(shown.icon)}'
            f'<span class="word">{escape(shown.word)}</span>{time}'
            f'<span class="detail">{text(shown.detail, 160)}</span>{driver}</div>')


def gauges(shown: Iterable[Gauge]) -> str:
    """The health bar."""
    return '<div class="gauges">' + "".join(
        f'<div class="gauge tone-{escape(gauge.tone)}" title="{escape(gauge.tip)}">'
        f'<span class="name">{escape(gauge.name)}</span>'
        f'<span class="value">{escape(gauge.text)}</span></div>' for gauge in shown) + "</div>"


def notice(said: str, tone: str = "warning", icon_name: str = "triangle-alert") -> str:
    """A sentence that wants to be read."""
    return f'<div class="notice tone-{tone}" role="alert">{glyph(icon_name)} {text(said)}</div>'


def notices(said: Sequence[str], tone: str = "warning") -> str:
    """Several; nothing for none."""
    return "".join(notice(sentence(one), tone) for one in said)


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A short list of names and values; values are HTML already."""
    return '<dl class="facts">' + "".join(
        f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in pairs) + "</dl>"


def scene(snapshot: Snapshot | None, phase: str = "") -> str:
    """What is being done now, and what was recorded."""
    if snapshot is None:
        return facts([("Task", "–"), ("Instruction", "–")])
    recorder = snapshot.recorder
    verdict = "success, says the detector" if snapshot.success else phase
    return facts([
        ("Task", text(snapshot.task or "–")),
        ("Instruction", text(snapshot.instruction or "–")),
        ("Phase", text(verdict or "–")),
        ("Episode", text(snapshot.episode or "none open")),
        ("Speed", f"{snapshot.speed_scale:.0%}"),
        ("Committed", f"{recorder.committed:,} since the start"),
        ("Last", text(f"{recorder.last_label} · {recorder.last_episode}"
                      if recorder.last_episode else "–"))])


class Tile(msgspec.Struct, frozen=True):
    """A camera: its stream, and what is said over its picture; no words when it is well."""

    camera: str
    said: str = ""


def tiles(shown: Sequence[Tile]) -> str:
    """Places for live pictures; desk.js fills them."""
    if not shown:
        return '<div class="empty">No camera has shown anything yet</div>'
    return "".join(
        f'<figure class="camera"><img data-camera="{escape(tile.camera)}" alt="Camera '
        f'{escape(tile.camera)}, live"><figcaption>{escape(tile.camera)}</figcaption>'
        f'<div class="said" data-said="{escape(tile.camera)}">{escape(tile.said)}</div></figure>'
        for tile in shown)


def devices(snapshot: Snapshot | None, state: DeskState | None, *, silent: bool = False) -> str:
    """Live values of what is connected, to see that it works; none of a silent station."""
    if snapshot is None:
        return '<div class="empty">Nothing is heard of the devices</div>'
    device = device_of(snapshot, state, silent=silent)
    joints = "".join(
        f"<tr><th>{number}</th><td>{_number(at)}</td><td>{_number(sent)}</td></tr>"
        for number, (at, sent) in enumerate(
            _unknown(snapshot.position) if silent else _pairs(snapshot.position, snapshot.sent), 1))
    streams = "".join(
        f"<tr><th>{escape(stream.name)}</th>" + (
            "<td>–</td><td>–</td><td>–</td>" if silent else
            f"<td>{stream.rate_hz:.1f} Hz</td><td>{stream.dropped:,}</td>"
            f"<td>{_age(stream.age_ms)}</td>") + "</tr>"
        for stream in snapshot.streams)
    processes = "".join(
        f"<tr><th>{escape(process.name)}</th><td>{'running' if process.running else 'ended'}</td>"
        f"<td>{process.restarts}</td><td>{text(process.reason or '–', 120)}</td></tr>"
        for process in (state.processes if state else ()))
    return (
        f'<div class="columns"><section><h3>Teleoperator</h3><p class="toned tone-'
        f'{escape(device.tone)}">{glyph(device.icon)} {text(device.line, 80)}</p>'
        + "".join(map(_axis, device.axes))
        + facts([("Buttons", text(device.buttons)),
                 ("Report", f"<code>{text(device.report, 200)}</code>")])
        + "</section><section><h3>Streams</h3><table><tr><th></th><th>Rate</th><th>Dropped</th>"
          f"<th>Age</th></tr>{streams}</table></section>"
          "<section><h3>Joints</h3><table><tr><th></th><th>Position</th><th>Sent</th></tr>"
          f"{joints}</table></section>"
          "<section><h3>Processes</h3><table><tr><th></th><th></th><th>Restarts</th><th>Why</th>"
          f"</tr>{processes}</table></section></div>")


def quality(found: Quality | None) -> str:
    """What is out of the ordinary in a recording, and its numbers."""
    if found is None:
        return notice("The quality of this recording could not be measured")
    flags = notices(found.flags) if found.flags else (
        f'<div class="notice tone-ready">{glyph("circle-check")} Nothing out of the ordinary</div>')
    streams = "".join(
        f"<tr><th>{escape(stream.name)}</th><td>{stream.rows:,}</td>"
        f"<td>{stream.rate_hz:.1f} Hz</td><td>{stream.dropped:,}</td><td>{stream.gaps:,}</td>"
        f"<td>{stream.jitter_p99_ms:.1f} ms</td></tr>" for stream in found.streams)
    return (flags + "<table><tr><th>Stream</th><th>Samples</th><th>Rate</th><th>Dropped</th>"
            f"<th>Gaps</th><th>Jitter (p99)</th></tr>{streams}</table>"
            + facts([("Standing still", f"{found.idle_share:.0%}"),
                     ("At a velocity limit", f"{found.saturated_share:.0%}"),
                     ("Late ticks", f"{found.late_ticks:,}")]))


_JOB_LOOKS = {"running": ("loader-circle", "policy", "Running"),
              "done": ("circle-check", "ready", "Done"),
              "failed": ("circle-x", "fault", "Failed"),
              "cancelled": ("circle-slash", "offline", "Cancelled")}


def jobs(shown: Sequence[JobView]) -> str:
    """Exports, the newest first."""
    if not shown:
        return '<div class="empty">Exports and how far they are appear here</div>'
    return "".join(_job(job) for job in shown)


def _job(job: JobView) -> str:
    icon_name, tone, word = _JOB_LOOKS[job.state]
    counted = f"{job.done:,} of {job.total:,}" if job.total else ""
    bar = (f'<progress max="{job.total}" value="{job.done}"></progress>' if job.total
           else "<progress></progress>") if job.state == "running" else ""
    cancel = (f'<button type="button" data-cancel="{job.number}">Cancel</button>'
              if job.state == "running" else "")
    return (f'<div class="job tone-{tone}"><div class="head">{glyph(icon_name)}<b>{word}</b>'
            f"<span>{job.number}. {text(job.title, 160)}</span><span class=\"count\">{counted}"
            f'</span><span class="time">{duration(job.seconds)}</span>{cancel}</div>{bar}'
            f'<div class="said">{text(job.said)}</div>'
            f"<code>{text(job.command, 200)}</code></div>")


def _pairs(one: Sequence[float], other: Sequence[float]) -> Iterable[tuple[float, float]]:
    for number in range(max(len(one), len(other))):
        yield (one[number] if number < len(one) else float("nan"),
               other[number] if number < len(other) else float("nan"))


def _number(value: float) -> str:
    return f"{value:+.3f}" if value == value else "–"


def _age(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if 0 <= milliseconds < 1e6 else "–"


def _unknown(position: Sequence[float]) -> Iterable[tuple[float, float]]:
    return [(float("nan"), float("nan"))] * len(position)


def _axis(axis: Axis) -> str:
    low, high = sorted((50.0, 50 + 50 * axis.at))
    return (f'<div class="axis"><span>{escape(axis.name)}</span><div class="track">'
            f'<div class="fill" style="left:{low:.1f}%;width:{high - low:.1f}%"></div></div>'
            f"<span>{escape(axis.text)}</span></div>")
