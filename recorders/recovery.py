"""What a crash left behind, put in order by replaying journals.

Opening a store for writing finishes the episodes that are committed but whose arrays may not all be
on the disk; those that were interrupted (interrupted.py finds them) a person or a script then keeps
or discards. Replay builds the same group through the same EpisodeGroup as recording does. This file
never decides whether an interrupted episode is worth keeping.
"""

from pathlib import Path

import msgspec
import numpy as np

from recorders.commit_log import Commit, Recovered
from recorders.episode import EpisodeSummary
from recorders.files import fsync_tree
from recorders.finisher import finish
from recorders.group_writer import EpisodeGroup
from recorders.interrupted import journals_in, look_into, remove_empty
from recorders.journal import EndRecord, JournalReader, Placement, RowsRecord
from recorders.labels_and_trash import settle_folders
from recorders.shard_repair import seal_again, sound_pictures
from recorders.store_errors import DamagedJournal
from recorders.store_folders import StoreFolders
from recorders.store_hands import StoreHands
from recorders.zarr_metadata import picture_shape


class RecoveryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What recovery did with an interrupted episode.

    Attributes:
        kept: it is an episode now; False: it is in the trash, or there was nothing to keep.
        summary: None if nothing had been recorded.
        rows_kept: per stream.
        rows_lost_estimate: journal records and pictures that were there and could not be read.
        problems: what was damaged, in plain sentences.
    """

    episode: str
    kept: bool
    summary: EpisodeSummary | None
    rows_kept: dict[str, int]
    rows_lost_estimate: int
    problems: tuple[str, ...]


class Replay(msgspec.Struct, frozen=True):
    """A journal's content, checked against the shards.

    Attributes:
        rows: how many rows of each stream can be restored, by stream number.
        placements: by stream number and image name: where each picture lies.
        lost: records and pictures that could not be read.
        problems: in plain sentences.
    """

    rows: tuple[int, ...]
    placements: dict[tuple[int, str], list[Placement]]
    last_stamp_ns: int
    end: EndRecord | None
    lost: int
    problems: tuple[str, ...]


def put_in_order(store: StoreHands) -> tuple[str, ...]:
    """Do what needs no decision: finish committed episodes, remove empty leftovers.

    Returns:
        Why committed episodes still need their journals; empty as a rule.
    """
    folders, committed = store.folders, store.log.episodes
    settle_folders(folders, committed)
    journals = journals_in(folders)
    unfinished = [finish_committed(store, committed[episode]) for episode in journals
                  if episode in committed]
    for episode in journals:
        if episode not in committed:
            remove_empty(folders, look_into(folders.journal(episode), being_recorded=False))
    return tuple(filter(None, unfinished))


def recover(store: StoreHands, episode: str, keep: bool) -> RecoveryReport:
    """Make an interrupted episode readable and commit it, or put it into the trash."""
    folders, path = store.folders, store.folders.journal(episode)
    try:
        journal = JournalReader(path)
    except DamagedJournal as damage:
        return _set_aside(store, episode, (str(damage),))
    folder = folders.open_group(episode)
    if folders.group(episode).exists():         # killed between the rename and the log's line
        folder = folders.group(episode)
    elif folders.trash_group(episode).exists():
        folder = folders.trash_group(episode)
    replay = read(journal, folder)
    if not any(replay.rows):
        journal.close()
        return _set_aside(store, episode, replay.problems)
    summary = rebuild(journal, folder, replay, recovered=True, trashed=not keep)
    journal.close()
    fsync_tree(folder)
    home = folders.home(episode, summary.trashed)
    if folder != home:
        folder.rename(home)
    wall_ns = store.clock.wall_ns()
    store.log.append(
        Commit(episode=episode, wall_ns=wall_ns, summary=summary),
        Recovered(episode=episode, wall_ns=wall_ns, kept=keep, rows=sum(replay.rows),
                  lost=replay.lost))
    finish(home, path)
    return RecoveryReport(
        episode=episode, kept=keep, summary=summary, rows_kept=summary.rows,
        rows_lost_estimate=replay.lost, problems=replay.problems)


def finish_committed(store: StoreHands, summary: EpisodeSummary) -> str:
    """Finish an episode whose writer died between its commit and the last fsync.

    Returns:
        Empty, or why the journal was kept.
    """
    folders, path = store.folders, store.folders.journal(summary.episode)
    folder = _folder_of(folders, summary.episode)
    try:
        journal = JournalReader(path)
    except DamagedJournal as damage:
        return str(damage)
    replay = read(journal, folder)
    wanted = tuple(summary.rows[spec.name] for spec in journal.header.header.streams)
    if replay.rows != wanted:
        journal.close()
        return (f"the journal of episode {summary.episode} holds fewer rows than were committed; "
                f"its arrays were left as they are")
    rebuild(journal, folder, replay, recovered=summary.recovered, trashed=summary.trashed)
    journal.close()
    home = folders.home(summary.episode, summary.trashed)
    if folder != home:
        folder.rename(home)
    finish(home, path)
    return ""


def read(journal: JournalReader, folder: Path) -> Replay:
    """Read a journal and check its pictures: what can be restored of each stream?"""
    streams = journal.header.header.streams
    last_ns = journal.header.header.started_mono_ns
    rows = [0] * len(streams)
    placements: dict[tuple[int, str], list[Placement]] = {
        (number, image.name): [] for number, spec in enumerate(streams) for image in spec.images}
    end = None
    for record in journal:
        if isinstance(record, RowsRecord):
            rows[record.stream] += len(record.rows)
            last_ns = max(last_ns, int(record.rows["t_mono_ns"][-1]))
            for placed in record.placements:
                for image, one in zip(streams[record.stream].images, placed, strict=True):
                    placements[record.stream, image.name].append(one)
        elif isinstance(record, EndRecord):
            end = record
    lost, problems = journal.records_lost, [journal.damage] if journal.damage else []
    for number, spec in enumerate(streams):
        sound = {image.name: sound_pictures(folder / spec.name / image.name,
                                            1 + len(picture_shape(image)),
                                            placements[number, image.name])
                 for image in spec.images}
        if not sound:
            continue
        complete = np.logical_and.reduce(list(sound.values()))
        kept = int(np.flatnonzero(complete)[-1]) + 1 if complete.any() else 0
        lost += rows[number] - kept
        rows[number] = kept
        for name, good in sound.items():
            placements[number, name] = placements[number, name][:kept]
            lost += int((~good[:kept]).sum())
            problems += [f"picture {row} of '{spec.name}/{name}' is damaged"
                         for row in np.flatnonzero(~good[:kept])]
    return Replay(tuple(rows), placements, last_ns, end, lost, tuple(problems))


def rebuild(
    journal: JournalReader, folder: Path, replay: Replay, recovered: bool, trashed: bool
) -> EpisodeSummary:
    """Write an episode's group from its journal; over what is there already, if need be."""
    folder.mkdir(exist_ok=True)
    group = EpisodeGroup(folder, journal.header)
    for record in journal:
        if isinstance(record, RowsRecord):
            stream = group.streams[record.stream]
            stream.add(record.rows[:max(0, replay.rows[record.stream] - stream.rows)])
            stream.columns.write_full_chunks()
        elif isinstance(record, dict):
            group.events.append(record)
    for (number, name), placements in replay.placements.items():
        stream = group.streams[number]
        image = next(image for image in stream.spec.images if image.name == name)
        seal_again(stream.folder / name, 1 + len(picture_shape(image)), placements)
    end = replay.end or EndRecord(group.last_stamp_ns, "")
    return group.finish(ended_mono_ns=end.ended_mono_ns, detector=end.detector,
                        recovered=recovered, trashed=trashed)


def _folder_of(folders: StoreFolders, episode: str) -> Path:
    for folder in (folders.group(episode), folders.trash_group(episode)):
        if folder.exists():
            return folder
    return folders.open_group(episode)


def _set_aside(
    store: StoreHands, episode: str, problems: tuple[str, ...]
) -> RecoveryReport:
    """Nothing can be restored; keep the pieces in the trash, where a person can still look."""
    folder, path = store.folders.open_group(episode), store.folders.journal(episode)
    if folder.exists():
        folder.rename(store.folders.trash / f"{episode}.unreadable")
    path.rename(store.folders.trash / path.name)
    return RecoveryReport(episode=episode, kept=False, summary=None, rows_kept={},
                          rows_lost_estimate=0, problems=problems)
