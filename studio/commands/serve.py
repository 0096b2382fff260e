"""`tandem serve`: the policy's process by itself, for rollouts of other terminals; or, with
`--openpi`, for any program that speaks openpi's protocol.

Knows options and words; the process is studio/station/serving/policy_worker.py, the other server
policy/foreign/openpi_server.py.
"""

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from recorders.clock import NS_PER_S, SystemClock
from studio.commands.output import Answer, Screen, UsersMistakeError
from studio.commands.policy_options import PolicyOptions

_LOOK_NS = NS_PER_S // 20
KEY = "TANDEM_OPENPI_KEY"


@dataclass(frozen=True, kw_only=True)
class Serve(PolicyOptions):
    """Load a policy and let it drive whichever station asks, one at a time, until Ctrl-C.

    `tandem rollout --policy ADDRESS` in another terminal of the same user drives with it; how it
    drives is said here.
    """

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a training run, or of one of its checkpoints."""
    openpi: str = ""
    """HOST:PORT: serve by openpi's protocol there, for openpi-client or for rollouts on other
    machines (--policy ws://HOST:PORT). Where others than this machine can connect, put a key into
    TANDEM_OPENPI_KEY, on both sides."""
    json: bool = False
    """Print one JSON object at the end."""

    def run(self, screen: Screen) -> Answer:
        """Serve until Ctrl-C, or until the process cannot be kept alive."""
        choice = self.choice(str(self.run_folder))
        if choice.served:
            raise UsersMistakeError(f"{self.run_folder} is an address: serve the folder of a run")
        if self.openpi:
            return self._serve_openpi(screen)
        from studio.station.processes.endpoints import address_in, private_directory
        from studio.station.processes.supervisor import Supervisor
        from studio.station.serving.policy_process import NAME, START_S

        clock = SystemClock()
        with private_directory() as directory, Supervisor(clock, screen.say) as supervisor:
            address = address_in(directory, NAME)
            supervisor.start(choice.worker(address))
            supervisor.wait_ready(NAME, timeout_s=START_S)
            screen.say(f"{self.run_folder} is served at {address}")
            screen.say(f"drive with it: tandem rollout --policy {address}")
            while NAME not in supervisor.ended:
                clock.wait_until(clock.now_ns() + _LOOK_NS)
                supervisor.poll()
            problem = supervisor.ended[NAME]
        return Answer({"run": str(self.run_folder), "problem": problem}, ok=False)

    def _serve_openpi(self, screen: Screen) -> Answer:
        host, port = parse_place(self.openpi)
        key = os.environ.get(KEY, "")
        if not key and not is_this_machine(host):
            raise UsersMistakeError(f"{self.openpi} can be reached from other machines, and "
                                    f"whoever connects uses this policy: put a key into {KEY}, "
                                    "or listen on 127.0.0.1")
        from policy.foreign.openpi_server import open_server
        from studio.station.serving.policy_loading import LOADER, loaded

        choice = self.choice(str(self.run_folder))
        policy = loaded(LOADER, choice.policy, self.device, self.policy_map, self.steps)
        think_every = choice.pace.think_every
        try:
            server = open_server(policy, host, port, key,
                                 think_every if isinstance(think_every, int) else 1 << 30)
        except OSError as error:
            raise UsersMistakeError(f"cannot listen at {self.openpi}: {error.strerror}") from error
        with server:
            place = f"ws://{host}:{server.socket.getsockname()[1]}"
            screen.say(f"{self.run_folder} is served at {place} by openpi's protocol, "
                       f"{'to whoever knows the key' if key else 'to this machine'}")
            screen.say(f"drive with it: tandem rollout --policy {place}")
            server.serve_forever()
        return Answer({"run": str(self.run_folder), "problem": ""})


def parse_place(text: str) -> tuple[str, int]:
    """"127.0.0.1:8000" as host and port.

    Raises:
        UsersMistakeError: it is none.
    """
    host, colon, port = text.rpartition(":")
    if colon and host and port.isdecimal() and int(port) < 1 << 16:
        return host.strip("[]"), int(port)
    raise UsersMistakeError(f"--openpi wants HOST:PORT, as 127.0.0.1:8000, not {text!r}")


def is_this_machine(host: str) -> bool:
    """Whether only programs of this machine can connect to a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
