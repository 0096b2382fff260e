"""The supervising process of a trial: starts a whole station that records short episodes for ever.

    python tests/torture/desk.py FOLDER EPISODE_S

Says on standard output, as one line of JSON, who is who and where to listen; ends when standard
input closes. It imports no more than a supervisor needs, so that a trial is short; the workers'
configurations are written as the plain values that JSON makes of them.
"""

import os
import sys
import time
from pathlib import Path

import msgspec

from recorders.clock import SystemClock
from studio.station.processes.endpoints import Endpoints, private_endpoints
from studio.station.processes.supervisor import Supervisor, WorkerSpec

DOUBLES = Path(__file__).parent.parent / "doubles"


class Roster(msgspec.Struct, frozen=True):
    """Process ids by name, and where to listen."""

    pids: dict[str, int]
    links: Endpoints


def specs(folder: Path, links: Endpoints, episode_s: float) -> tuple[WorkerSpec, ...]:
    """The real station, but for its arm, which has no pictures and leaves a trace."""
    return (
        WorkerSpec(name="robot", role="robot", environment={"PYTHONPATH": str(DOUBLES)}, config={
            "links": links, "driver": "traced_arm:TracedArm",
            "options": {"trace": str(folder / "trace")}}),
        WorkerSpec(name="recorder", role="recorder", restart=True, patience_s=15.0, config={
            "store": str(folder / "store"), "links": links}),
        WorkerSpec(name="station", role="station", config={
            "links": links, "teleop": "scripted",
            "plan": {"tasks": ["push-button"] * 1000, "max_duration_s": episode_s}}),
    )


def main() -> None:
    """Start everything, tell who is who, look after them until told to end."""
    folder, episode_s = Path(sys.argv[1]), float(sys.argv[2])
    with private_endpoints() as links, Supervisor(
            SystemClock(), lambda line: print(line, file=sys.stderr)) as supervisor:
        for spec in specs(folder, links, episode_s):
            supervisor.start(spec)
        supervisor.wait_ready("robot", "recorder", "station", timeout_s=60.0)
        pids = {state.name: state.pid for state in supervisor.states()}
        roster = Roster({**pids, "supervisor": os.getpid()}, links)
        print(msgspec.json.encode(roster).decode(), flush=True)
        os.set_blocking(sys.stdin.fileno(), False)
        while sys.stdin.buffer.read(1) is None:
            supervisor.poll()
            time.sleep(0.02)


if __name__ == "__main__":
    main()
