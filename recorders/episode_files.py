"""The files of one open episode: its journal, its group, and the shards its pictures go to.

Made in the order that a crash may interrupt anywhere: the journal comes first, so that whatever is
left behind, its journal explains. This file knows what lies where and what must be fsynced; it
does not know when that is due, nor how an episode is committed.
"""

from collections.abc import Sequence
from pathlib import Path

from recorders.files import fsync_path, fsync_tree
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
        self.journal.sync()
        fsync_path(folders.journals)
        folder = folders.open_group(self.episode)
        self.group = EpisodeGroup(folder, journal_header)
        self.images = [_image_writers(stream.folder, stream.spec) for stream in self.group.streams]
        folder.mkdir()
        for stream in self.group.streams:
            for image in stream.spec.images:
                stream.write_image_shape(image.name, 0)
        fsync_tree(folder)
        fsync_path(folders.open)

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
