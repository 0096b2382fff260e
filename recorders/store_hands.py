"""What an open store lends to those who write into it."""

import msgspec

from recorders.clock import Clock
from recorders.commit_log import CommitLog
from recorders.finisher import Finisher
from recorders.space import Reserve
from recorders.store_folders import StoreFolders


class StoreHands(msgspec.Struct, frozen=True):
    """The tools of a store's one writer; they live as long as the store is open for writing."""

    folders: StoreFolders
    log: CommitLog
    reserve: Reserve
    finisher: Finisher
    clock: Clock
