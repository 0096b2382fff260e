"""The files of one open episode: its journal, its group, and the shards its pictures go to.

Made in the order that a crash may interrupt anywhere: the journal comes first, so that whatever is
left behind, its journal explains. Nothing here waits for the disk by itself, because rows are
waiting behind whoever begins an episode: `sync_beginning` and `sync` do, in a thread of the
writer. This file knows what lies where and what must be fsynced; it does not know when that is
due, nor how an episode is committed.
"""

from collections.abc import Sequence
from pathlib import Path

from recorders.files import fsync_path
from recorders.group_writer import EpisodeGroup
from recorders.journal import JournalHeader, JournalWriter
from recorders.shard_writer import ImageWriter
from recorders.store_folders import StoreFolders
from recorders.streams import StreamSpec
from recorders.zarr_metadata import picture_shape


class EpisodeFiles:
    """Everything that an open episode writes to.

    Attributes:
        episode: its id.
        journal: the only complete copy of rows and events until the episode is finished.
        group: columns, shapes and attributes.
        images: per stream, in the header's order: the writers of its pictures by name.
    """

    def __init__(self, folders: StoreFolders, journal_header: JournalHeader) -> None:
        self.episode = journal_header.header.episode
        self.journal = JournalWriter(folders.journal(self.episode), journal_header)
        folder = folders.open_group(self.episode)
        self.group = EpisodeGroup(folder, journal_header)
        self.images = [_image_writers(stream.folder, stream.spec) for stream in self.group.streams]
        folder.mkdir()
        for stream in self.group.streams:
            for image in stream.spec.images:
                stream.write_image_shape(image.name, 0)
        self._beginning = [self.journal.path, folders.journals, folders.open, folder]
        self._beginning += [stream.folder for stream in self.group.streams if stream.spec.images]
        if journal_header.model:
            self._beginning += [folders.model(journal_header.model), folders.models]

    def image_writers(self) -> Sequence[ImageWriter]:
        """The writers of all image arrays."""
        return [writer for writers in self.images for writer in writers.values()]

    def write_full(self) -> None:
        """Seal the shards that are full, and write the chunks of columns that are."""
        for stream, writers in zip(self.group.streams, self.images, strict=True):
            for name, writer in writers.items():
                if writer.seal_full():
                    stream.write_image_shape(name, writer.sealed_rows)
        self.group.write_full_chunks()

    def sync_beginning(self) -> bool:
        """Wait until the header, the model and all names are on the disk.

        Returns:
            Whether there was anything to wait for: False from the second time on.
        """
        if not self._beginning:
            return False
        for path in self._beginning:
            fsync_path(path)
        self._beginning = []
        return True

    def sync(self) -> None:
        """Wait until all that was appended so far is on the disk."""
        for writer in self.image_writers():
            shard = writer.open_shard
            if shard is not None:
                shard.sync()
        self.journal.sync()

    def let_go(self) -> None:
        """Close everything and leave it as it is: the journal tells what there is."""
        for writer in self.image_writers():
            writer.abandon()
        self.journal.close()


def _image_writers(folder: Path, spec: StreamSpec) -> dict[str, ImageWriter]:
    return {image.name: ImageWriter(folder / image.name, 1 + len(picture_shape(image)))
            for image in spec.images}
