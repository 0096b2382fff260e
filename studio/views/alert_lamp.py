"""Whether the policy asks for help, why, and how near each of its signals is to its limit.

An alert is a signal that is larger than in the successes that it was calibrated by; it stops
nothing. Knows snapshots; refuses to know how a limit came about (policy/monitoring).
"""

import math

import msgspec

from policy.monitoring.signals import SIGNALS, WORDS
from studio.station.messages import Alert, Mode, Snapshot
from studio.views.words import sentence

UNWATCHED = "–"
CLOSE = 0.8                 # of a limit: the bar says so
_WATCHED = (Mode.AUTO, Mode.HANDBACK)
_NAMES = {"disagreement": "Plan changes", "entropy": "Unsure", "novelty": "Unlike successes",
          "tracking": "Arm lags", "gripper": "Gripper lags", "force": "Force", "elapsed": "Time"}
_UNITS = {"disagreement": (1000.0, 1, "mm"), "entropy": (1.0, 2, "nat"), "novelty": (1.0, 1, ""),
          "tracking": (1.0, 3, "rad"), "gripper": (100.0, 0, "%"), "force": (1.0, 1, "N"),
          "elapsed": (1.0, 1, "s")}        # factor, digits, unit


class SignalBar(msgspec.Struct, frozen=True):
    """One signal against its limit.

    Attributes:
        name: for people.
        words: what it means if it is too large.
        text: "4.0 of 5.0 N"; "–" while it is not known.
        share: of its limit, 0 to 1; 0 without one.
        icon, tone: whether it is below, close to, or above its limit.
    """

    name: str
    words: str
    text: str
    share: float
    icon: str
    tone: str


class AlertLamp(msgspec.Struct, frozen=True, kw_only=True):
    """What a console shows.

    Attributes:
        word, icon, tone: its state, never by the tone alone.
        says: why it asks, or why nobody looks; may be empty.
        number: of the alert that stands; 0: none.
        bars: every signal; none while nobody judges.
        nearest: the bar to look at: of the alert, else the one that is nearest to its limit.
    """

    word: str
    icon: str
    tone: str
    says: str = ""
    number: int = 0
    bars: tuple[SignalBar, ...] = ()
    nearest: SignalBar | None = None


def alert_lamp(snapshot: Snapshot | None, silent: bool) -> AlertLamp:
    """What there is to show.

    Args:
        snapshot: the newest of the station.
        silent: the station has said nothing for a second.
    """
    if snapshot is None or silent or snapshot.policy is None:
        return AlertLamp(word=UNWATCHED, icon="bell-off", tone="offline",
                         says="Nothing is watched without a policy")
    bars = tuple(map(_bar, SIGNALS, snapshot.signals, snapshot.signal_limits))
    if (alert := snapshot.alert) is not None and snapshot.mode in _WATCHED:
        return AlertLamp(word="Asks for help", icon="bell", tone="override", bars=bars,
                         number=alert.number, says=alert_words(alert), nearest=_bar(
                             alert.signal, alert.value, alert.limit))
    if not bars:
        return AlertLamp(word="Not watched", icon="bell-off", tone="offline",
                         says="Nobody has calibrated alerts for this policy: tandem alerts")
    if snapshot.mode not in _WATCHED:
        return AlertLamp(word="Does not watch", icon="bell-off", tone="offline",
                         says="It watches while the policy drives alone")
    return AlertLamp(word="No alert", icon="circle-check", tone="ready", bars=bars,
                     nearest=max(bars, key=lambda bar: bar.share))


def alert_words(alert: Alert) -> str:
    """Why, and by how much: for a line."""
    return (f"{sentence(alert.words)}: {_text(alert.signal, alert.value)}, at most "
            f"{_text(alert.signal, alert.limit)} in successes")


def _bar(signal: str, value: float, limit: float) -> SignalBar:
    name, words = _NAMES[signal], sentence(WORDS[signal])
    if not math.isfinite(value):
        return SignalBar(name, words, "–", 0.0, "circle-dashed", "offline")
    if not math.isfinite(limit):
        return SignalBar(name, words, f"{_text(signal, value)}, no limit", 0.0, "circle-dashed",
                         "offline")
    text, share = _text(signal, value, limit), min(max(value / max(limit, 1e-9), 0.0), 1.0)
    if value > limit:
        return SignalBar(name, words, text, 1.0, "bell", "override")
    if share >= CLOSE:
        return SignalBar(name, words, text, share, "triangle-alert", "warning")
    return SignalBar(name, words, text, share, "circle-check", "ready")


def _text(signal: str, *values: float) -> str:
    factor, digits, unit = _UNITS[signal]
    return f"{' of '.join(f'{factor * value:.{digits}f}' for value in values)} {unit}".rstrip()
