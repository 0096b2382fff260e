"""Episodes that were begun and neither committed nor discarded, as their journals tell.

Looking touches nothing; only the leftovers of an episode that was killed before its first row are
removed when a store is opened for writing. What becomes of the others is a person's decision, which
recovery.py carries out.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from recorders.clock import NS_PER_S
from recorders.journal import JournalReader, RowsRecord
from recorders.store_errors import DamagedJournal, NoSuchEpisode
from recorders.store_folders import StoreFolders


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


def journals_in(folders: StoreFolders) -> list[str]:
    """The episodes that still have a journal, by id."""
    return sorted(file.stem for file in folders.journals.glob("*.journal"))


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


def find_interrupted(waiting: Iterable[Interrupted], which: str, store: Path) -> str:
    """The id of the interrupted episode that somebody means by the beginning of its id.

    Raises:
        NoSuchEpisode: naming the valid ids.
    """
    ids = [one.episode for one in waiting]
    fitting = [one for one in ids if which and one.startswith(which)]
    if len(fitting) != 1:
        raise NoSuchEpisode(f"no interrupted episode '{which}' in {store}; valid are "
                            f"{', '.join(ids) or 'none: nothing was interrupted'}")
    return fitting[0]


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
