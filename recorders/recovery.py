"""What a crash left behind, put in order by replaying journals.

Opening a store for writing finishes the episodes that are committed but whose arrays may not all be
on the disk, and finds those that were interrupted; a person (or a script) then keeps or discards
these. Replay builds the same group through the same GroupWriter as recording does. This file never
decides whether an interrupted episode is worth keeping.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from recorders.clock import NS_PER_S
from recorders.commit_log import Commit, Recovered
from recorders.episode import EpisodeSummary
from recorders.files import fsync_tree
from recorders.finisher import finish
from recorders.group_writer import EpisodeGroup
from recorders.journal import EndRecord, JournalReader, Placement, RowsRecord
from recorders.shard_repair import seal_again, sound_pictures
from recorders.store_errors import DamagedJournal
from recorders.store_folders import StoreFolders
from recorders.store_hands import StoreHands
from recorders.zarr_metadata import picture_shape


class Interrupted(msgspec.Struct, frozen=True, kw_only=True):
    """An episode that was begun and not closed.

    Attributes:
        duration_s: from its beginning to its newest row.
        rows: per stream, as the journal tells.
        being_recorded: another process is writing the store now; perhaps this very episode.
        damage: empty, or what is wrong with the journal.
    """

    episode: str
    task: str
    instruction: str
    operator: str
    started_wall_ns: int
    duration_s: float
    rows: dict[str, int]
    being_recorded: bool
    damage: str


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


def look_into(path: Path, being_recorded: bool) -> Interrupted:
    """Say what an episode's journal holds, without touching anything."""
    try:
        journal = JournalReader(path)
    except DamagedJournal as damage:
        return Interrupted(
            episode=path.stem, task="", instruction="", operator="", started_wall_ns=0,
            duration_s=0.0, rows={}, being_recorded=being_recorded, damage=str(damage))
    header = journal.header.header
    rows, last_ns = [0] * len(header.streams), header.started_mono_ns
    for record in journal:
        if isinstance(record, RowsRecord):
            rows[record.stream] += len(record.rows)
            last_ns = max(last_ns, int(record.rows["t_mono_ns"][-1]))
    journal.close()
    return Interrupted(
        episode=header.episode, task=header.task, instruction=header.instruction,
        operator=header.operator, started_wall_ns=header.started_wall_ns,
        duration_s=(last_ns - header.started_mono_ns) / NS_PER_S,
        rows={spec.name: n for spec, n in zip(header.streams, rows, strict=True)},
        being_recorded=being_recorded, damage="" if being_recorded else journal.damage)


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


def _folder_of(folders: StoreFolders, episode: str) -> Path:
    for folder in (folders.group(episode), folders.trash_group(episode)):
        if folder.exists():
            return folder
    return folders.open_group(episode)


def remove_empty(folders: StoreFolders, interrupted: Interrupted) -> bool:
    """Remove the leftovers of an episode that was killed before its first row, if it was."""
    folder = folders.open_group(interrupted.episode)
    began_only = interrupted.damage and not folder.exists()
    if any(interrupted.rows.values()) or (interrupted.damage and not began_only):
        return False
    if folder.exists():
        shutil.rmtree(folder)
    folders.journal(interrupted.episode).unlink()
    return True


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
