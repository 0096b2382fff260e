"""`tandem serve`: the policy's process by itself, for rollouts of other terminals.

Knows options and words; the process is studio/station/serving/policy_worker.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from recorders.clock import NS_PER_S, SystemClock
from studio.commands.output import Answer, Screen, UsersMistakeError
from studio.commands.policy_options import PolicyOptions

_LOOK_NS = NS_PER_S // 20


@dataclass(frozen=True, kw_only=True)
class Serve(PolicyOptions):
    """Load a policy and let it drive whichever station asks, one at a time, until Ctrl-C.

    `tandem rollout --policy ADDRESS` in another terminal of the same user drives with it; how it
    drives is said here.
    """

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a training run, or of one of its checkpoints."""
    json: bool = False
    """Print one JSON object at the end."""

    def run(self, screen: Screen) -> Answer:
        """Serve until Ctrl-C, or until the process cannot be kept alive."""
        choice = self.choice(str(self.run_folder))
        if choice.served:
            raise UsersMistakeError(f"{self.run_folder} is an address: serve the folder of a run")
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
