"""What an open store lends to those who write into it.

Taking the hands takes the store's lock, so there is one pair at a time. Nothing here decides what
is written.
"""

from contextlib import ExitStack

import msgspec

from recorders.clock import Clock
from recorders.commit_log import CommitLog
from recorders.finisher import Finisher
from recorders.space import Reserve, WriterLock
from recorders.store_folders import StoreFolders


class StoreHands(msgspec.Struct, frozen=True):
    """The tools of a store's one writer; they live as long as the store is open for writing."""

    folders: StoreFolders
    log: CommitLog
    reserve: Reserve
    finisher: Finisher
    clock: Clock
    lock: WriterLock

    def let_go(self) -> None:
        """Finish what is under way and let others write. Raises as `Finisher.close` does."""
        try:
            self.finisher.close()
            if not self.lock.lost():    # another store's space is not ours to give up
                self.reserve.give_up()  # a store that nobody writes keeps no space from others
        finally:
            self.lock.release()


def take_hands(folders: StoreFolders, clock: Clock, reserve_bytes: int) -> StoreHands:
    """Become a store's one writer.

    Raises:
        StoreLocked: if there is one already.
        OSError: if the folder cannot be written.
    """
    with ExitStack() as undo:
        lock = WriterLock(folders.lock)
        undo.callback(lock.release)
        for folder in folders.all_folders():
            folder.mkdir(exist_ok=True)
        log = CommitLog(folders.commits)
        log.cut_torn_line()
        hands = StoreHands(folders, log, Reserve(folders.reserve, reserve_bytes), Finisher(),
                           clock, lock)
        undo.pop_all()
    return hands
