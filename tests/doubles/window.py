"""A console's process without a window: it says that it is there, and does as the test asks.

It closes, as by its user, when a file called "close" lies in its folder.
"""

import sys
from pathlib import Path

import msgspec

from studio.station.desk.client import DeskClient
from studio.station.desk.link import ConsoleHere, ConsoleLeft
from studio.station.processes.endpoints import Endpoints, open_context
from studio.station.processes.worker import Life


class WindowConfig(msgspec.Struct, frozen=True):
    """What the window is told."""

    links: Endpoints
    folder: str
    name: str = "console"


def run(config: bytes, life: Life) -> None:
    """Be there until closed or told to end."""
    told = msgspec.json.decode(config, type=WindowConfig)
    with open_context() as context:
        client = DeskClient(context, told.links, life.clock)
        client.ask_desk(ConsoleHere(told.name), timeout_s=20.0)
        life.ready()
        print("a window is open", file=sys.stderr, flush=True)
        while not life.wait_for_stop(0.02):
            client.look()
            client.ask_desk(ConsoleHere(told.name))
            life.beat()
            if (Path(told.folder) / "close").exists():
                client.ask_desk(ConsoleLeft(told.name))
                break
        client.close()
