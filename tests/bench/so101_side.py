"""One side of the SO-101 fault benchmark: our own session at 100 Hz, which tells how it is doing.

Started by `so101_faults.py` as a process, so that it can be killed; prints a JSON line a snapshot.
"""

import json
import sys
from typing import Any

from studio.station.launch import SessionRequest, run_session
from studio.station.messages import Snapshot
from studio.station.session import SessionPlan


def tell(snapshot: Snapshot) -> None:
    """The few things that the benchmark wants to know."""
    print(json.dumps({"at_ns": snapshot.stamp_ns, "mode": snapshot.mode.name,
                      "reason": snapshot.reason, "late": snapshot.late_ticks,
                      "worst_ms": snapshot.lateness_max_ms}), flush=True)


def main(robot: dict[str, Any], teleop: dict[str, Any]) -> None:
    """Drive the follower with the leader until told to end."""
    request = SessionRequest(
        plan=SessionPlan(tasks=("free",), practice=True, attended=True, max_duration_s=600.0),
        robot="so101_follower", robot_options={"fields": robot},
        teleop="leader:so101_leader", teleop_options={"fields": teleop, "rate_hz": 100.0})
    problem = run_session(request, on_snapshot=tell, say=lambda line: print(line, file=sys.stderr))
    print(json.dumps({"problem": problem}), flush=True)


if __name__ == "__main__":
    main(*(json.loads(argument) for argument in sys.argv[1:]))
