"""Where a network comes from: which demonstrations, which code; written into every checkpoint.

Knows the commit log's file, git and installed packages. Writes nothing, and keeps no path of the
machine but the names of stores.
"""

import hashlib
import subprocess
from importlib import metadata
from pathlib import Path

import msgspec

from recorders.store_description import require_store
from recorders.store_folders import StoreFolders

_PACKAGE = "tandem-studio"
_GIT_PATIENCE_S = 5.0


class StoreMark(msgspec.Struct, frozen=True, kw_only=True):
    """A store as it stood when it was trained from."""

    name: str                   # of its folder
    facts: int                  # lines of its commit log
    digest: str                 # sha256 of those lines, 16 hex digits


class CodeMark(msgspec.Struct, frozen=True, kw_only=True):
    """The code that trained."""

    version: str                # of the installed package
    commit: str                 # of the checkout it ran from, or empty
    changed: bool               # the checkout differed from that commit


def mark_store(path: Path) -> StoreMark:
    """What the store's commit log says now; a line being written does not count.

    Raises:
        NotAStore, UnknownFormat: as their messages say.
    """
    folders = StoreFolders(path)
    require_store(folders)
    log = folders.commits.read_bytes() if folders.commits.exists() else b""
    whole = log[:log.rfind(b"\n") + 1]
    return StoreMark(name=path.resolve().name, facts=whole.count(b"\n"),
                     digest=hashlib.sha256(whole).hexdigest()[:16])


def mark_code() -> CodeMark:
    """The version of this code, as far as it can be known."""
    try:
        version = metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        version = ""
    root = Path(__file__).resolve().parents[2]
    commit = _git(root, "rev-parse", "HEAD") if (root / ".git").exists() else ""
    changed = bool(commit and _git(root, "status", "--porcelain", "--untracked-files=no"))
    return CodeMark(version=version, commit=commit, changed=changed)


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True,
                              timeout=_GIT_PATIENCE_S)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
