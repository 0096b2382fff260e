"""Where everything in a store lies. Names only: nothing here touches the disk."""

from pathlib import Path

import msgspec


class StoreFolders(msgspec.Struct, frozen=True):
    """The paths of a store; FORMAT.md draws them."""

    root: Path

    @property
    def description(self) -> Path:
        """What makes a folder a store."""
        return self.root / "store.json"

    @property
    def commits(self) -> Path:
        """The commit log."""
        return self.root / "commits.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the one writer."""
        return self.root / "LOCK"

    @property
    def reserve(self) -> Path:
        """Space that is given up when the disk is full."""
        return self.root / "reserve"

    @property
    def zarr(self) -> Path:
        """The Zarr hierarchy of committed episodes."""
        return self.root / "data.zarr"

    @property
    def journals(self) -> Path:
        """Journals of episodes whose arrays are not yet known to be on the disk."""
        return self.root / "journal"

    @property
    def open(self) -> Path:
        """Groups of episodes that are being recorded."""
        return self.root / "open"

    @property
    def trash(self) -> Path:
        """Groups of episodes that were put away."""
        return self.root / "trash"

    @property
    def models(self) -> Path:
        """Robot models, named by their checksums."""
        return self.root / "models"

    @property
    def views(self) -> Path:
        """Episodes as Rerun files, for looking at; can be made again at any time."""
        return self.root / "rrd"

    def all_folders(self) -> tuple[Path, ...]:
        """Every folder that a store consists of."""
        return (self.zarr, self.journals, self.open, self.trash, self.models)

    def journal(self, episode: str) -> Path:
        """An episode's journal."""
        return self.journals / f"{episode}.journal"

    def group(self, episode: str) -> Path:
        """A committed episode's group."""
        return self.zarr / episode

    def open_group(self, episode: str) -> Path:
        """An open episode's group."""
        return self.open / episode

    def trash_group(self, episode: str) -> Path:
        """The group of an episode that was put away."""
        return self.trash / episode

    def home(self, episode: str, trashed: bool) -> Path:
        """Where a committed episode's group belongs."""
        return self.trash_group(episode) if trashed else self.group(episode)

    def model(self, prefix: str) -> Path:
        """A robot model."""
        return self.models / f"{prefix}.xml"
