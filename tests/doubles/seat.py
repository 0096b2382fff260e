"""A desk that turns in a thread, with real processes, and somebody at it who waits for events."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recorders.clock import NS_PER_S, SystemClock
from studio.station.commands import Arm, Reply
from studio.station.desk.client import DeskClient
from studio.station.desk.desk import Desk
from studio.station.desk.link import DeskState, UseDevices
from studio.station.desk.processes import DeskConfig
from studio.station.messages import Mode, Snapshot
from studio.station.processes.endpoints import Endpoints, open_context, private_endpoints
from studio.station.processes.supervisor import WorkerSpec

PATIENCE_S = 90.0           # of somebody who waits for processes on a busy machine
BLIND = {"render": False}


def window_worker(links: Endpoints, folder: Path, name: str = "console") -> WorkerSpec:
    """A console without a window; see window.py."""
    return WorkerSpec(name=name, role="window:run", restart=True,
                      environment={"PYTHONPATH": str(Path(__file__).parent)},
                      config={"links": links, "folder": str(folder), "name": name})


class Seat:
    """A desk that turns in a thread, and somebody at it."""

    def __init__(self, desk: Desk, links: Endpoints, client: DeskClient) -> None:
        self.desk, self.links, self.client = desk, links, client

    def until(self, reached: Callable[[], bool]) -> None:
        """Look until a condition holds."""
        clock = SystemClock()
        deadline_ns = clock.now_ns() + round(PATIENCE_S * NS_PER_S)
        while not reached():
            assert clock.now_ns() < deadline_ns, f"{self.client.state}\n{self.client.snapshot}"
            self.client._states._socket.poll(20)
            self.client.look()

    def ready(self) -> DeskState:
        self.until(lambda: self.client.state is not None and not self.client.state.busy)
        return self.state

    @property
    def state(self) -> DeskState:
        assert self.client.state is not None
        return self.client.state

    @property
    def snapshot(self) -> Snapshot:
        assert self.client.snapshot is not None
        return self.client.snapshot

    def do(self, command: Any) -> str:
        reply = self.client.ask(command, timeout_s=PATIENCE_S)
        assert reply.accepted, reply.reason
        return reply.value

    def arm(self) -> None:
        """As soon as the arm has said where it is."""
        self.until(lambda: self.client.ask(Arm(), timeout_s=PATIENCE_S).accepted)

    def asked(self, request: Any) -> Reply:
        return self.client.ask_desk(request, timeout_s=PATIENCE_S)

    def sees(self, mode: Mode) -> None:
        self.until(lambda: self.client.snapshot is not None and self.snapshot.mode is mode)

    def pid(self, name: str) -> int:
        return next(state.pid for state in self.desk._supervisor.states() if state.name == name)

    def chosen(self, **devices: Any) -> Reply:
        """Ask for devices, and wait until that is decided."""
        reply = self.asked(UseDevices(**{"robot": "sim", "robot_options": BLIND,
                                         "teleop": "keyboard"} | devices))
        if reply.accepted:
            self.until(lambda: bool(self.state.busy))
            self.ready()
        return reply


@contextmanager
def seated(**config: Any) -> Iterator[Seat]:
    """A desk with the simulated arm, without pictures and without a live view."""
    chosen = DeskConfig(**{"robot_options": BLIND, "live": False} | config)
    ended = threading.Event()
    with private_endpoints() as links, open_context() as context:
        desk = Desk(chosen, links, context, SystemClock())

        def turn() -> None:
            while not (desk.ended or ended.is_set()):
                desk.step()
            desk.close()

        thread = threading.Thread(target=turn, name="desk")
        thread.start()
        client = DeskClient(context, links, SystemClock())
        try:
            yield Seat(desk, links, client)
        finally:
            ended.set()
            thread.join()
            client.close()
