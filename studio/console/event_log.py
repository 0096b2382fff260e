"""What happened in a console, one JSON object a line: for tests, and for finding out afterwards."""

from pathlib import Path
from typing import Any

import msgspec

from recorders.clock import Clock


class EventLog:
    """Writes to a file, or nowhere.

    Args:
        path: of the file (a named pipe will do); empty writes nowhere.
        clock: stamps the lines.
    """

    def __init__(self, path: str, clock: Clock) -> None:
        self._file = Path(path).open("ab", buffering=0) if path else None   # noqa: SIM115
        self._clock = clock

    @property
    def wanted(self) -> bool:
        """Whether anybody reads what is said."""
        return self._file is not None

    def say(self, kind: str, **fields: Any) -> None:
        """Note something."""
        if self._file is not None:
            line = {"t_mono_ns": self._clock.now_ns(), "kind": kind, **fields}
            self._file.write(msgspec.json.encode(line, enc_hook=str) + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
