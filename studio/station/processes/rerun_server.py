"""The server to which Rerun viewers connect, on this machine only.

`rerun.serve_grpc` of the Python package listens on every network card (0.33.0: seen with psutil),
which a lab's camera pictures must not, so Rerun's own command-line server is run instead: it can be
bound to 127.0.0.1, keeps the newest data up to a limit, and outlives a recording. Its usage
statistics are switched off. This file knows that process and nothing of what is logged.
"""

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from contextlib import suppress
from pathlib import Path

from recorders.clock import NS_PER_S, Clock

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 9876         # where `rerun --connect` looks by itself
START_NS = 20 * NS_PER_S    # it takes 0.1 s; a cold disk reads 200 MB first
_PR_SET_PDEATHSIG = 1       # prctl


class ViewerServerFailed(RuntimeError):
    """The server did not start; the message says what it said."""


class ViewerServer:
    """A running server; a context manager.

    Args:
        clock: real time, for the patience while it starts.
        port: to listen on; another free one is taken if somebody else listens there.
        memory_limit: of what late viewers can still get, as Rerun writes it: "512MB".

    Raises:
        ViewerServerFailed: if it ends or does not listen in time.
    """

    def __init__(self, clock: Clock, *, port: int = DEFAULT_PORT,
                 memory_limit: str = "512MB") -> None:
        self.port = free_port(port)
        self.said: list[str] = []
        self._listens = threading.Event()
        self.process = subprocess.Popen(
            [str(server_program()), "--serve-grpc", "--bind", LOOPBACK, "--port", str(self.port),
             "--server-memory-limit", memory_limit],
            env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", preexec_fn=_die_with_parent)
        self._reader = threading.Thread(target=self._hear, name="rerun-server-messages",
                                        daemon=True)
        self._reader.start()
        self._wait_until_it_listens(clock)

    def __enter__(self) -> "ViewerServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """What a viewer, or a recording, connects to."""
        return f"rerun+http://{LOOPBACK}:{self.port}/proxy"

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the server; viewers keep what they have."""
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(timeout=1.0)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if "Listening for gRPC connections" in line:
                self._listens.set()

    def _wait_until_it_listens(self, clock: Clock) -> None:
        deadline_ns = clock.now_ns() + START_NS
        while not self._listens.wait(0.05):
            if not self.alive or clock.now_ns() > deadline_ns:
                self.close()
                last = self.said[-1] if self.said else "it said nothing"
                raise ViewerServerFailed(f"the Rerun server did not start on {LOOPBACK}:"
                                         f"{self.port}: {last}")


def environment() -> dict[str, str]:
    """The environment in which any program of Rerun's is run.

    `CI` switches off its usage statistics: it neither writes events nor sends those of earlier runs
    (0.33.0, seen with strace), and leaves the user's own settings as they are.
    """
    return {**os.environ, "CI": "1"}


def server_program() -> Path:
    """Rerun's program, as its package installed it.

    Raises:
        ViewerServerFailed: if it is not there.
    """
    name = "rerun.exe" if sys.platform == "win32" else "rerun"
    program = Path(sysconfig.get_path("purelib")) / "rerun_sdk" / "rerun_cli" / name
    if not program.is_file():
        raise ViewerServerFailed(f"{program} is missing: reinstall rerun-sdk")
    return program


def free_port(wanted: int) -> int:
    """The wanted TCP port on this machine, or another one if it is taken; 0 takes any."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, suppress(OSError):
            # As the server will: a port in TIME_WAIT after the last session is no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return probe.getsockname()[1]
    raise ViewerServerFailed(f"no TCP port is free on {LOOPBACK}")


def _die_with_parent() -> None:
    """Runs in the child: nobody else would end it if this process were killed. Linux only."""
    if sys.platform == "linux":
        import ctypes
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
