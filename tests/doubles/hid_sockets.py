"""Plugged-in SpaceMice for `fakehid.c`, and the library itself, built with the C compiler."""

import select
import shutil
import socket
import subprocess
from pathlib import Path

MULTI_AXIS = 8      # HID usage of a puck; 6 is a keyboard


def build_library(folder: Path) -> Path | None:
    """Build the stand-in hidapi into a folder for LD_LIBRARY_PATH; None without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "libhidapi-hidraw.so.0"
    source = Path(__file__).with_name("fakehid.c")
    subprocess.run([compiler, "-O1", "-Wall", "-Werror", "-shared", "-fPIC",
                    f"-Wl,-soname,{library.name}", "-o", library, source], check=True)
    (folder / "libhidapi-hidraw.so").symlink_to(library.name)
    return folder


class HidSocket:
    """One HID interface; `plug` puts it into the folder, `unplug` pulls the cable."""

    def __init__(self, folder: Path, vendor: int, product: int, *, interface: int = 0,
                 usage: int = MULTI_AXIS, serial: str = "A1", name: str = "") -> None:
        self.path = folder / (
            f"{vendor:x}-{product:x}-{interface:x}-{usage:x}-{serial}.hid{name}")
        self._listener: socket.socket | None = None
        self._line: socket.socket | None = None

    def plug(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(self.path))
        self._listener.listen(4)
        self._listener.settimeout(10)

    def unplug(self) -> None:
        if self._line:
            self._line.close()
        if self._listener:
            self._listener.close()
            self.path.unlink()
        self._line = self._listener = None

    def opened(self) -> None:
        """Take the call of a driver that has opened this interface."""
        assert self._listener is not None
        if self._line:
            self._line.close()
        self._line, _ = self._listener.accept()
        self._line.settimeout(10)

    def report(self, *values: int) -> None:
        """Send an input report, byte by byte."""
        assert self._line is not None
        self._line.send(bytes(values))

    def move(self, x: int = 0, y: int = 0, z: int = 0) -> None:
        """A translation as a wired device reports it, HID convention, full deflection 350."""
        counts = b"".join(value.to_bytes(2, "little", signed=True) for value in (x, y, z))
        self.report(1, *counts)

    def forget_written(self) -> None:
        """Throw away the output reports that wait, as a light that nobody looks at."""
        assert self._line is not None
        while select.select([self._line], [], [], 0)[0] and self._line.recv(64):
            pass

    def written(self) -> bytes:
        """The next output report."""
        assert self._line is not None
        return self._line.recv(64)
