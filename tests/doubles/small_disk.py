"""A disk of a few MiB, for tests of what happens when it is full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Its folder, mounted for a while; skips the test where that is not allowed."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", disk],
                             capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path, leave_bytes: int = 0) -> Path:
    """Leave so little room that the disk counts as full; removing the file makes room again."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        while (room := _free(disk) - leave_bytes) > 0:
            file.write(bytes(min(room, 1 << 20)))
            file.flush()
    return ballast


def _free(disk: Path) -> int:
    volume = os.statvfs(disk)
    return volume.f_bavail * volume.f_frsize
