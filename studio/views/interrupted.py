"""Episodes that were begun and never closed, as a person is asked to keep or discard them.

Knows what a journal tells and what settles it; refuses to open a store.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from recorders.clock import NS_PER_S
from recorders.interrupted import Interrupted
from studio.station.commands import AboutEpisode, LabelEpisode, SettleInterrupted
from studio.views.episode_rows import LABEL_LOOKS
from studio.views.words import counted, duration, shortened

# What a person may make of one: what it is called, and the label that it is kept with. None puts
# it into the trash, from where it can be restored.
CHOICES: tuple[tuple[str, str, str | None], ...] = (
    *((name, look[0], name) for name, look in LABEL_LOOKS.items() if name != "unlabelled"),
    ("keep", "Keep", "unlabelled"), ("discard", "Discard", None))


class InterruptedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One of them.

    Attributes:
        when: local time at which it began.
        words: what it is of, on one line.
        length: from its beginning to its newest row.
        damage: what is wrong with its journal; empty as a rule.
    """

    episode: str
    when: str
    words: str
    length: str
    damage: str = ""


def interrupted_rows(found: Iterable[Interrupted]) -> tuple[InterruptedRow, ...]:
    """In the order in which they were begun."""
    return tuple(_row(one) for one in sorted(found, key=lambda one: one.episode))


def _row(one: Interrupted) -> InterruptedRow:
    begun = datetime.fromtimestamp(one.started_wall_ns / NS_PER_S)
    return InterruptedRow(
        episode=one.episode, when=f"{begun:%d %b %H:%M}" if one.started_wall_ns else "–",
        words=shortened(" · ".join(filter(None, (one.task, one.instruction))) or one.episode, 120),
        length=duration(one.duration_s), damage=shortened(one.damage, 200))


def heading(count: int) -> str:
    """What is asked."""
    was = "was" if count == 1 else "were"
    return f"{counted(count, 'episode')} {was} interrupted: keep or discard"


def settle(episode: str, choice: str) -> tuple[AboutEpisode, ...]:
    """The commands that make of it what was chosen.

    Raises:
        ValueError: there is no such choice.
    """
    for name, _, label in CHOICES:
        if name == choice:
            said = (LabelEpisode(episode, label),) if label not in (None, "unlabelled") else ()
            return (SettleInterrupted(episode, keep=label is not None), *said)
    raise ValueError(f"no choice '{choice}': valid are {', '.join(one[0] for one in CHOICES)}")
