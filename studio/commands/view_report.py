"""Who did what in recorded episodes, as a person wants to see it: spans, and views over a store.

Knows how to lay out what `policy.data.views` found. Decides nothing about whose doing anything is.
"""

from pathlib import Path
from typing import Any

import msgspec

from policy.data.signals import MissingSignal
from policy.data.views import UnknownViewError, seconds_in, spans, view_of
from recorders.array_layout import DamagedRecording
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.commands.output import Answer, Screen, UsersMistakeError


def print_spans(screen: Screen, path: Path, view: str) -> list[dict[str, Any]]:
    """Print who did what in an episode; nothing if one did it all and no view is named.

    Args:
        screen: where to.
        path: the episode's group.
        view: only what belongs to it; empty for everything.

    Returns:
        The same for `--json`; empty where a recording has no ticks.

    Raises:
        UsersMistakeError: there is no such view.
    """
    _require(view)
    try:
        found = spans(EpisodeReader(path), view)
    except (DamagedRecording, MissingSignal) as error:
        screen.say(f"who did what is unknown: {error}")
        return []
    if view or len(found) > 1:
        screen.table("who did what", ("from", "for", "ticks", "whose", "intervention", "version",
                                      "owners"), [
            (f"{one.begin_s:.2f} s", f"{one.end_s - one.begin_s:.2f} s",
             f"{one.begin_tick} – {one.end_tick}", one.whose, one.intervention or "–",
             one.weights_version or "–", ", ".join(one.owners)) for one in found])
    return msgspec.to_builtins(found)


def list_view(screen: Screen, path: Path, view: str, *, trashed: bool) -> Answer:
    """Print the episodes of a store that have parts of a view, and how long these are.

    Raises:
        UsersMistakeError: there is no such view.
    """
    _require(view)
    rows: list[dict[str, Any]] = []
    with DemoStore.open(path) as store:
        for one in store.episodes(include_trashed=trashed):
            try:
                episode = EpisodeReader(store.episode_path(one.episode))
                lasts_s = seconds_in(episode, view)
            except (DamagedRecording, MissingSignal) as error:
                screen.say(f"{one.episode} is left out: {error}")
                continue
            if lasts_s:
                rows.append({"episode": one.episode, "task": one.task, "label": one.label,
                             "duration_s": one.duration_s, "view_s": round(lasts_s, 3),
                             "spans": len(spans(episode, view))})
    screen.table("", ("episode", "task", "label", "duration", view, "parts"), [
        (row["episode"], row["task"], row["label"], f"{row['duration_s']:.1f} s",
         f"{row['view_s']:.1f} s", row["spans"]) for row in rows])
    if not rows:
        screen.say(f"no episode of {path} has anything of '{view}'")
    return Answer({"store": str(path), "view": view, "episodes": rows})


def _require(view: str) -> None:
    try:
        if view:
            view_of(view)
    except UnknownViewError as error:
        raise UsersMistakeError(str(error)) from error
