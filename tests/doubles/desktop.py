"""A screen, a desk and its desktop console, with real keys and a real mouse, for tests.

The screen is Xvfb's, which keeps its picture in a file; hands are xdotool's. Everything is waited
for: a line of the console's event log, a snapshot, a row of a stream; nothing is slept for.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zmq

from recorders.clock import NS_PER_S, SystemClock
from studio.console.app import ConsoleConfig
from studio.station.desk.client import DeskClient
from studio.station.messages import Snapshot
from studio.station.processes.bus import Endpoints, open_context
from studio.station.processes.supervisor import Supervisor, WorkerSpec

PATIENCE_S = 120.0
ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("Xvfb", "xdotool")


def missing() -> str:
    """Which programs are missing; empty if none."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    return f"{' and '.join(absent)} missing: run .ci/setup" if absent else ""


class VirtualScreen:
    """A screen that nobody sees.

    Attributes:
        display: as in DISPLAY.
    """

    def __init__(self, display: str, picture: Path) -> None:
        self.display, self._picture = display, picture

    def pixels(self) -> np.ndarray:
        """(H, W, 3) u1: what is on it now (an XWD file, see XWDFile.h)."""
        raw = self._picture.read_bytes()
        head = np.frombuffer(raw[:100], ">u4")
        header, width, height, line, colours = (int(head[i]) for i in (0, 4, 5, 12, 19))
        rows = np.frombuffer(raw, np.uint8, height * line, header + 12 * colours)
        return rows.reshape(height, line // 4, 4)[:, :width, 2::-1]

    def hands(self, *words: str) -> None:
        """What a hand does, in xdotool's words."""
        subprocess.run(["xdotool", *words], check=True, timeout=PATIENCE_S,
                       env=os.environ | {"DISPLAY": self.display})


@contextmanager
def virtual_screen(folder: Path, size: tuple[int, int], glx: bool = True
                   ) -> Iterator[VirtualScreen]:
    """A screen of a size for a while."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-fbdir", str(folder), "-nolisten", "tcp", "-screen",
         "0", f"{size[0]}x{size[1]}x24", *(("+extension",) if glx else ("-extension",)), "GLX"],
        pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            number = told.readline().strip()
        assert number, "Xvfb did not start"
        yield VirtualScreen(f":{number}", folder / "Xvfb_screen0")
    finally:
        server.terminate()
        server.wait(timeout=20)


class Desktop:
    """A console on a screen, and the desk behind it, as a test sees and moves them.

    Attributes:
        said: the lines of the console's event log that were read so far.
        places: where those widgets are that are in sight.
        newest: stream -> its newest row.
        frames: how many the console said that it drew.
    """

    def __init__(self, screen: VirtualScreen, client: DeskClient, log: Path,
                 supervisor: Supervisor) -> None:
        self.screen, self.client, self.said = screen, client, []
        self._log = os.open(log, os.O_RDWR | os.O_NONBLOCK)     # a pipe without end, so to speak
        self._rest, self._clock, self._supervisor = b"", SystemClock(), supervisor
        self.places: dict[str, list[int]] = {}
        self.newest: dict[str, np.void] = {}
        self.frames = 0

    def hear(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Wait for a line of the event log that was not heard yet, and take it."""
        line = self.until(lambda: self._take(kind, fields), f"{kind} {fields}")
        assert line is not None
        return line

    def until[T](self, reached: Callable[[], T], what: str = "") -> T:
        """Wait until something is true; the console's and the station's words wake us."""
        deadline_ns = self._clock.now_ns() + round(PATIENCE_S * NS_PER_S)
        either = zmq.Poller()
        either.register(self._log, zmq.POLLIN)
        either.register(self.client._snapshots._socket, zmq.POLLIN)
        while not (found := reached()):
            assert self._clock.now_ns() < deadline_ns, (
                f"waited in vain for {what}; {self.said[-8:]}; {self.client.snapshot}; "
                f"{[state.tail for state in self._supervisor.states()]}")
            self._supervisor.poll()
            assert not self._supervisor.ended, f"waiting for {what}: {self._supervisor.ended}"
            either.poll(250)
            self._read()
            for batch in self.client.look():
                self.newest[batch.stream] = batch.rows[-1]
        return found

    def snapshot(self) -> Snapshot:
        """The newest of the station."""
        self.until(lambda: self.client.snapshot is not None, "a snapshot")
        assert self.client.snapshot is not None
        return self.client.snapshot

    def click(self, place: str) -> None:
        """Press and release the mouse on a widget; the button is down for two frames."""
        self.press(place)
        self.screen.hands("mouseup", "1")

    def press(self, place: str) -> None:
        """Put the mouse on a widget, and press it."""
        self.forget("pressed")
        self.hover(place)
        self.screen.hands("mousedown", "1")
        self.hear("pressed", down=True)

    def hover(self, place: str) -> None:
        """Put the mouse on a widget, wherever it moves, and wait until that was drawn."""
        at: list[int] = []
        while at != self.places.get(place):
            at = self.until(lambda: self.places.get(place, []), f"{place} in sight")
            self.screen.hands("mousemove", *map(str, at))
            drawn = self.frames
            self.until(lambda drawn=drawn: self.frames > drawn, "frames with the mouse there")

    def tap(self, key: str) -> None:
        """Press and release a key; it is held until the console saw it."""
        self.forget("keys")
        self.screen.hands("keydown", key)
        self.hear("keys", down=True)
        self.screen.hands("keyup", key)
        self.hear("keys", down=False)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            while piece := os.read(self._log, 1 << 16):
                *lines, self._rest = (self._rest + piece).split(b"\n")
                heard = [msgspec.json.decode(line) for line in lines]
                self.said += [line for line in heard if line["kind"] not in ("frames", "places")]
                for line in heard:
                    self.places = line.get("places", self.places)
                self.frames = max(self.frames, *(line.get("count", 0) for line in heard), 0)

    def forget(self, kind: str) -> None:
        """What was said so far of a kind is not to be heard any more."""
        self._read()
        self.said = [line for line in self.said if line["kind"] != kind]

    def _take(self, kind: str, fields: dict[str, Any]) -> dict[str, Any] | None:
        for number, line in enumerate(self.said):
            if line["kind"] == kind and fields.items() <= line.items():
                return self.said.pop(number)
        return None


@contextmanager
def running_desk(folder: Path, store: Path, *words: str) -> Iterator[Endpoints]:
    """`tandem desk` in a folder of its own, so that nobody's own desk is met."""
    runtime = folder / "r"
    runtime.mkdir(mode=0o700)
    desk = subprocess.Popen(
        [sys.executable, "-m", "studio.cli", "desk", "--store", str(store), "--teleop", "keyboard",
         "--headless", "--json", *words], cwd=ROOT, stdout=subprocess.PIPE,
        env=os.environ | {"XDG_RUNTIME_DIR": str(runtime), "OMP_NUM_THREADS": "1"})
    assert desk.stdout is not None
    try:
        line = desk.stdout.readline()
        assert line, "the desk did not start"
        (note,) = runtime.glob("tandem-desk.*.json")
        yield msgspec.convert(msgspec.json.decode(note.read_bytes())["links"], Endpoints)
    finally:
        desk.terminate()
        desk.wait(timeout=60)
        desk.stdout.close()


@contextmanager
def open_desktop(folder: Path, links: Endpoints, screen: VirtualScreen, size: tuple[int, int],
                 **config: Any) -> Iterator[Desktop]:
    """A desktop console in a process of its own, on a screen; a second one in the same folder
    remembers what the first one left.
    """
    settings, log = folder / "settings", folder / "events.jsonl"
    if not settings.exists():
        settings.mkdir()
        (settings / "consoles.json").write_bytes(
            msgspec.json.encode({"window": size, "muted": True}))
        os.mkfifo(log)
    with open_context() as context, Supervisor(SystemClock(), print) as supervisor:
        client = DeskClient(context, links, SystemClock())
        desktop = Desktop(screen, client, log, supervisor)
        supervisor.start(WorkerSpec(
            name="console", role="console", environment={"DISPLAY": screen.display},
            config=ConsoleConfig(links=links, folder=str(settings), events=str(log), **config)))
        desktop.hear("ready")
        client.learn_robot()
        yield desktop
        client.close()
