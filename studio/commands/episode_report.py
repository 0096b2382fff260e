"""One episode as a person wants to see it: streams, quality, events.

Knows how to lay out what `recorders.quality` found. Decides nothing about what is good.
"""

from pathlib import Path
from typing import Any

import msgspec

from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from recorders.quality import Quality, assess
from studio.commands.output import Screen

_SHOWN_NAMES = 6            # of what a stream carries
_SHOWN_EVENTS = 20          # on screen; `--json` has all of them


def print_episode(screen: Screen, path: Path) -> dict[str, Any]:
    """Print what is in an episode's group.

    Args:
        screen: where to.
        path: the group, as `DemoStore.episode_path` gives it.

    Returns:
        The same for `--json`.
    """
    episode = EpisodeReader(path)
    quality = assess(episode)
    attrs = episode.attrs
    screen.print(f"{episode.episode}: {attrs['task']}, {attrs['instruction']!r}, "
                 f"{episode.duration_s:.1f} s, by {attrs.get('operator') or 'nobody named'}, "
                 f"seed {attrs['seed']}")
    screen.table("streams", ("stream", "rows", "declared", "measured", "dropped", "gaps",
                             "longest gap", "carries"), [
        (s.name, s.rows, f"{s.declared_hz:.0f} Hz" if s.declared_hz else "when it happens",
         f"{s.rate_hz:.1f} Hz", s.dropped, s.gaps,
         f"{1000 * s.longest_gap_s:.0f} ms", _carries(episode, s.name)) for s in quality.streams])
    _print_quality(screen, quality)
    _print_events(screen, episode)
    return {"path": str(path), "quality": msgspec.to_builtins(quality), "events": episode.events,
            "robot": attrs.get("robot", {}).get("name", ""),
            "software": attrs.get("software", {})}


def _carries(episode: EpisodeReader, stream: str) -> str:
    spec = episode[stream].spec
    pictures = [f"{i.name} {i.width}×{i.height} {i.encoding}"
                + (f" ({i.reduced_from} reduced {i.factor} times)" if i.reduced_from else "")
                for i in spec.images]
    names = [*pictures, *(column.name for column in spec.columns)]
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


def _print_quality(screen: Screen, quality: Quality) -> None:
    screen.print(f"idle {quality.idle_share:.0%} of the time, at a velocity limit "
                 f"{quality.saturated_share:.0%}, late ticks {quality.late_ticks}")
    for name, share in quality.guard_shares.items():
        screen.print(f"  guard {name} in {share:.1%} of the ticks")
    for flag in quality.flags:
        screen.print(f"  ! {flag}")


def _print_events(screen: Screen, episode: EpisodeReader) -> None:
    started_ns = episode.attrs["started_mono_ns"]
    shown = [event for event in episode.events if event["kind"] != "text"]    # of the side table
    rows = [(f"{(event['t_mono_ns'] - started_ns) / NS_PER_S:.2f} s", event["kind"],
             ", ".join(f"{key} {value}" for key, value in event.items()
                       if key not in ("t_mono_ns", "kind")))
            for event in shown[:_SHOWN_EVENTS]]
    if rows:
        screen.table("events", ("at", "what", "details"), rows)
    if len(shown) > _SHOWN_EVENTS:
        screen.say(f"{len(shown) - _SHOWN_EVENTS} more events: see --json")
