"""What people say about a committed episode: how good it was, what it really shows, put it away.

Each is one line in the commit log; nothing that was recorded is ever rewritten or deleted. The log
is the truth about the trash, too: folders follow what it says, and a crash may fall between the
two. This file does not know how an episode is found or recorded.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from recorders.commit_log import Fact, Labelled, Relabelled, Restored, Trashed
from recorders.episode import LABELS, EpisodeSummary, Label
from recorders.store_errors import StoreError
from recorders.store_folders import StoreFolders
from recorders.store_hands import StoreHands


def require_label(label: str) -> None:
    """Refuse what is no label.

    Raises:
        StoreError: naming the valid ones.
    """
    if label not in LABELS:
        raise StoreError(f"unknown label '{label}': valid are {', '.join(LABELS)}")


def label_episode(
    store: StoreHands, episode: str, label: Label, note: str, by: str
) -> EpisodeSummary:
    """Judge an episode."""
    return _say(store, Labelled(episode=episode, wall_ns=store.clock.wall_ns(), by=by,
                                label=label, note=note))


def relabel_episode(
    store: StoreHands, episode: str, task: str | None, instruction: str | None, by: str
) -> EpisodeSummary:
    """Say which task was really done, or how it should be asked for; None leaves it."""
    return _say(store, Relabelled(episode=episode, wall_ns=store.clock.wall_ns(), by=by,
                                  task=task, instruction=instruction))


def trash_episode(store: StoreHands, found: EpisodeSummary, by: str) -> EpisodeSummary:
    """Put an episode away."""
    store.finisher.drain()
    # First the line, then the move: readers stop looking before the folder goes.
    summary = _say(store, Trashed(episode=found.episode, wall_ns=store.clock.wall_ns(), by=by))
    settle_folders(store.folders, {found.episode: summary})
    return summary


def restore_episode(store: StoreHands, found: EpisodeSummary, by: str) -> EpisodeSummary:
    """Bring an episode back."""
    store.finisher.drain()
    # First the move, then the line: readers never look for a folder that is not there yet.
    settle_folders(store.folders,
                   {found.episode: msgspec.structs.replace(found, trashed=False)})
    return _say(store, Restored(episode=found.episode, wall_ns=store.clock.wall_ns(), by=by))


def settle_folders(folders: StoreFolders, episodes: Mapping[str, EpisodeSummary]) -> None:
    """Move groups to where the log says they belong; a crash may have come before the move."""
    # Looks only at the trash and at what should be there: a store may have 10,000 others.
    for folder in list(folders.trash.iterdir()):
        known = episodes.get(folder.name)
        if known is not None and not known.trashed:
            _move(folder, folders.group(folder.name))
    for episode, known in episodes.items():
        if known.trashed:
            _move(folders.group(episode), folders.trash_group(episode))


def _move(source: Path, target: Path) -> None:
    if source.exists() and not target.exists():
        source.rename(target)


def _say(store: StoreHands, fact: Fact) -> EpisodeSummary:
    store.log.append(fact)
    return store.log.episodes[fact.episode]
