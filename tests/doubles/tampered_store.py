"""A copy of a store in which something was falsified afterwards, as plain Zarr allows it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr


class TamperedStore:
    """One episode of a store, in a copy.

    Args:
        original: a folder; stays as it is.
        copy: where to.
    """

    def __init__(self, original: Path, copy: Path) -> None:
        shutil.copytree(original, copy, ignore=shutil.ignore_patterns("LOCK"))
        self.path = copy
        self.episode = next(path for path in (copy / "data.zarr").iterdir() if path.is_dir())

    def column(self, stream: str, name: str, change: Callable[[np.ndarray], object]) -> None:
        """Change values of a column in place."""
        array = zarr.open_array(self.episode / stream / name, mode="r+")
        values = np.array(array[:])
        change(values)
        array[:] = values

    def drop_rows(self, stream: str, rows: slice) -> None:
        """Take rows out of every column of a stream."""
        for folder in (self.episode / stream).iterdir():
            if folder.is_dir():
                array = zarr.open_array(folder, mode="r+")
                values = np.delete(np.array(array[:]), rows, axis=0)
                array.resize(values.shape)
                array[:] = values

    def attributes(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the episode's attributes."""
        file = self.episode / "zarr.json"
        meta = json.loads(file.read_text())
        change(meta["attributes"])
        file.write_text(json.dumps(meta))
