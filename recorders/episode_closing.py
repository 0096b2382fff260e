"""How an open episode becomes a committed one, also when the disk is full.

First it is written down: pictures are sealed, columns and attributes complete. Then it is
published: moved to its place and committed by a line in the log. On a full disk the store's reserve
makes the room for both. The order is told and justified in FORMAT.md ("Durability"). This file
decides nothing about when an episode ends.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from recorders.commit_log import Commit
from recorders.episode import Detector, EpisodeSummary
from recorders.episode_files import EpisodeFiles
from recorders.files import fsync_tree
from recorders.journal import EndRecord
from recorders.store_errors import DiskFull, StoreError
from recorders.store_hands import StoreHands

MAX_PARALLEL_FSYNCS = 8         # a disk merges what is asked for at once; more brings nothing


def write_down(
    files: EpisodeFiles, ended_mono_ns: int, detector: Detector, trashed: bool
) -> EpisodeSummary:
    """Everything up to, but not including, the line in the log.

    Raises:
        OSError: if it could not be written; `write_down_when_full` may follow.
    """
    files.journal.end(EndRecord(ended_mono_ns, detector))
    with ThreadPoolExecutor(MAX_PARALLEL_FSYNCS, "fsync") as threads:
        # While the disk takes journal and pictures, this thread compresses columns.
        waits = [threads.submit(files.sync_beginning), threads.submit(files.journal.sync)]
        waits += [threads.submit(writer.seal_all) for writer in files.image_writers()]
        return files.group.finish(
            ended_mono_ns=ended_mono_ns, detector=detector, recovered=False, trashed=trashed,
            sealed=lambda: _finished(waits))


def _finished(waits: Sequence[Future[None]]) -> None:
    for wait in waits:
        wait.result()


def write_down_when_full(
    store: StoreHands, files: EpisodeFiles, error: OSError, ended_mono_ns: int,
    detector: Detector, trashed: bool,
) -> EpisodeSummary:
    """Write down with the reserve's space, and do not rely on the journal for anything.

    Raises:
        DiskFull: if even that space was not enough.
    """
    store.reserve.give_up()
    files.group.events.append({"t_mono_ns": ended_mono_ns, "kind": "disk-full"})
    try:
        files.sync_beginning()
        for writer in files.image_writers():
            writer.seal_all()
        summary = files.group.finish(
            ended_mono_ns=ended_mono_ns, detector=detector, recovered=False, trashed=trashed)
        fsync_tree(files.group.folder)
        return summary
    except OSError as again:
        files.let_go()
        raise DiskFull(
            f"the disk is full, and not even episode {files.episode} could be closed "
            f"({again}): everything acknowledged is in its journal; free some space, then run "
            f"`tandem data recover`", files.episode) from error


def publish(store: StoreHands, files: EpisodeFiles, summary: EpisodeSummary) -> None:
    """Move an episode that was written down to its place, and commit it."""
    home = store.folders.home(files.episode, summary.trashed)
    files.group.folder.rename(home)
    commit = Commit(episode=files.episode, wall_ns=store.clock.wall_ns(), summary=summary)
    try:
        store.log.append(commit)
    except DiskFull:
        store.reserve.give_up()
        store.log.append(commit)
    files.journal.close()
    store.finisher.submit(home, files.journal.path)


def give_up_broken(files: EpisodeFiles, error: OSError) -> StoreError:
    """Close the files of an episode that cannot be written any more; what a person is told."""
    files.let_go()
    return StoreError(
        f"cannot write episode {files.episode} any more ({error}): what was acknowledged "
        f"is in its journal; check the disk, then run `tandem data recover`")
