"""Where the station's processes meet: private sockets, and the one context of a process.

Sockets lie in a directory of mode 0700 that belongs to one running station, so nobody else on the
machine or the network can speak to an arm. An address is opaque to everybody else, so that tcp
can follow. This file refuses to know what is said over a socket.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import zmq

_MAX_IPC_PATH = 100         # Linux allows 107 bytes for a socket's path
_RECONNECT_MS = 20          # a restarted worker is found within two ticks
_DIRECTORY_PREFIX = "tandem-"
_SCHEME = "ipc://"


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where each link listens; who binds is said beside it."""

    robot: str              # host binds
    robot_request: str      # host binds
    target: str             # station binds
    record: str             # recorder binds
    recorder_status: str    # recorder binds
    watch: str              # station binds
    command: str            # station binds
    observe: str            # station binds
    chunks: str             # policy binds
    policy_request: str     # policy binds
    training: str           # trainer binds
    desk: str               # desk binds
    desk_state: str         # desk binds


@contextmanager
def private_endpoints() -> Iterator[Endpoints]:
    """Addresses in a fresh directory that only this user may enter; removed at the end."""
    with private_directory() as directory:
        yield Endpoints(**{name: address_in(directory, name)
                           for name in Endpoints.__struct_fields__})


@contextmanager
def private_directory() -> Iterator[Path]:
    """A fresh directory for sockets that only this user may enter; removed at the end."""
    parent = runtime_folder()
    _sweep(parent)
    directory = Path(tempfile.mkdtemp(prefix=f"{_DIRECTORY_PREFIX}{os.getpid()}-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def address_in(directory: Path, name: str) -> str:
    """The address of a socket in a directory."""
    return f"{_SCHEME}{directory}/{name}"


def folder_of(address: str) -> str:
    """The directory of a socket's address."""
    return str(Path(address.removeprefix(_SCHEME)).parent)


def is_address(text: str) -> bool:
    """Whether a text is the address of a socket rather than a folder."""
    return text.startswith(_SCHEME)


def runtime_folder() -> Path:
    """Where this user's programs leave sockets and the like while they run."""
    wanted = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    room = len(f"/{_DIRECTORY_PREFIX}4194304-abcdefgh/recorder_status")
    fits = len(os.fsencode(wanted)) + room <= _MAX_IPC_PATH
    return wanted if fits and os.access(wanted, os.W_OK) else Path("/tmp")


def _sweep(parent: Path) -> None:
    """Remove what this user's stations left behind when they were killed."""
    for stale in parent.glob(f"{_DIRECTORY_PREFIX}*-*"):
        pid = stale.name.removeprefix(_DIRECTORY_PREFIX).split("-")[0]
        with suppress(FileNotFoundError):       # another station tidies at the same time
            ours = stale.lstat().st_uid == os.getuid()
            if ours and pid.isdigit() and not process_lives(int(pid)):
                shutil.rmtree(stale, ignore_errors=True)


def process_lives(pid: int) -> bool:
    """Whether some process, anybody's, has that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True     # somebody else's process has that number
    return True


@contextmanager
def open_context() -> Iterator[zmq.Context]:
    """The one ZeroMQ context of a process; closes all its sockets at the end."""
    context = zmq.Context()
    try:
        yield context
    finally:
        context.destroy()


def open_socket(context: zmq.Context, kind: int, address: str, *, bind: bool,
                **options: int | bytes) -> zmq.Socket:
    """A socket that is bound or connected, with options by their ZeroMQ names."""
    socket = context.socket(kind)
    settings = {"LINGER": 0, "RECONNECT_IVL": _RECONNECT_MS, **options}
    for name, value in settings.items():
        socket.setsockopt(getattr(zmq, name), value)
    (socket.bind if bind else socket.connect)(address)
    return socket


def receive_message(socket: zmq.Socket) -> list[memoryview] | None:
    """The next message as views that keep it alive, or None."""
    try:
        parts = socket.recv_multipart(zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return None
    return [part.buffer for part in parts]
