"""Episodes from one store into another: their groups as they are, and what was said about them."""

import shutil
from collections.abc import Sequence

from recorders.commit_log import Commit
from recorders.episode import EpisodeSummary
from recorders.files import fsync_path, fsync_tree, write_durably
from recorders.store_errors import StoreError
from recorders.store_folders import StoreFolders
from recorders.store_hands import StoreHands


def copy_episodes(
    source: StoreFolders, target: StoreHands, episodes: Sequence[EpisodeSummary]
) -> None:
    """Copy episodes; each is committed when it is on the disk in full.

    Raises:
        StoreError: if the other store has one of them already; then nothing was copied.
        OSError: if the other store cannot be written.
    """
    doubles = [one.episode for one in episodes if one.episode in target.log.episodes]
    if doubles:
        raise StoreError(f"{target.folders.root} has {', '.join(doubles)} already: leave them out")
    for model in source.models.glob("*.xml"):
        if not target.folders.model(model.stem).exists():
            write_durably(target.folders.model(model.stem), model.read_bytes())
    for summary in episodes:
        _copy(source, target, summary)


def _copy(source: StoreFolders, target: StoreHands, summary: EpisodeSummary) -> None:
    folders, episode = target.folders, summary.episode
    copy, home = folders.open_group(episode), folders.home(episode, summary.trashed)
    for leftover in (copy, home):       # of a copy that was killed; no line commits it
        if leftover.exists():
            shutil.rmtree(leftover)
    shutil.copytree(source.home(episode, summary.trashed), copy)
    fsync_tree(copy)
    copy.rename(home)
    fsync_path(home.parent)
    target.log.append(Commit(episode=episode, wall_ns=target.clock.wall_ns(), summary=summary))
