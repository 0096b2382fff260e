"""What can go wrong with a store, each with a sentence that says what to do about it."""


class StoreError(RuntimeError):
    """Something about a demonstration store is not as it must be; the message names the remedy."""


class NotAStore(StoreError):
    """The folder is missing, or is no demonstration store."""


class UnknownFormat(StoreError):
    """The store was written by a version of the studio that this one does not know."""


class StoreLocked(StoreError):
    """Another process is writing this store."""


class StoreReadOnly(StoreError):
    """The store cannot be written: it was opened for reading, or its folder is protected."""


class NoSuchEpisode(StoreError):
    """No episode, or more than one, is meant by what was given."""


class DamagedJournal(StoreError):
    """A journal's header cannot be read, so its rows cannot be understood."""


class DiskFull(StoreError):
    """No space is left. What was acknowledged before is kept.

    Attributes:
        episode: the id of the episode that was closed because of it, or empty.
    """

    def __init__(self, message: str, episode: str = "") -> None:
        super().__init__(message)
        self.episode = episode
