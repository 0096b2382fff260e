"""What the policy's process is told, and how it comes by a policy from that.

Knows folders of runs and the robot that a policy is to drive; knows no sockets and no turns.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from policy.driving.two_speeds import Pace
from policy.foreign.trained_with import trained_with
from policy.interfaces import Choosy, Policy
from policy.monitoring.calibration import Calibration
from policy.runs.latencies import LATENCY, other_latencies
from policy.versions.misfit import robot_misfit
from recorders.streams import StreamSpec
from studio.devices.interfaces import DeviceError, RobotInfo
from studio.station.chunks.joining import JOIN, Join
from studio.station.processes.bus import Endpoints
from studio.station.processes.worker import resolve

LOADER = "policy.foreign.opening:open_policy"


class PolicyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy's process is told."""

    policy: str
    """Folder of a run or of one of its checkpoints, or of a LeRobot policy; or ws://HOST:PORT."""
    address: str
    """Where it hears requests."""
    links: Endpoints | None = None
    """Of the station to serve from the beginning."""
    rate_hz: float = 100.0
    """Of that station's control loop."""
    device: str = "cpu"
    """Where the network computes: cpu or cuda."""
    flow_steps: int | None = None
    """Of System 1; None: as trained."""
    pace: Pace = Pace()
    """How often the two systems run."""
    join: Join = JOIN
    """How the station joins its chunks."""
    deadline_ms: float = 0.0
    """Of System 1, from the tick that brought the picture; 0: a step of the chunk."""
    loader: str = LOADER
    """"module:function" that makes a policy of a folder and a device, and of the policy map if
    there is one."""
    policy_map: tuple[str, ...] = ()
    """Pairs of a policy's name and ours; see policy/foreign/policy_map.py."""


def calibration_of(policy: str) -> bytes:
    """What a policy's rollouts are measured by, as JSON; empty if nobody has calibrated it."""
    try:
        found = Calibration.load(Path(policy))
    except ValueError as damage:
        print(f"no alerts: {damage}", file=sys.stderr, flush=True)
        return b""
    return b"" if found is None else msgspec.json.encode(found)


def require_for(folder: str, robot: RobotInfo) -> None:
    """Refuse a run of another robot, exported or not.

    Raises:
        DeviceError: naming what differs.
    """
    if wrong := robot_misfit(trained_with(folder), robot.name, robot.joint_names):
        raise DeviceError(f"{folder} is a policy of another robot: {wrong}")


def load(told: PolicyConfig, folder: str) -> Policy:
    """The policy in a folder, as it shall drive here.

    Raises:
        CheckpointError: it cannot be loaded.
        DeviceError: it has no flow steps.
    """
    return loaded(told.loader, folder, told.device, told.policy_map, told.flow_steps)


def loaded(loader: str, folder: str, device: str, policy_map: Sequence[str] = (),
           flow_steps: int | None = None) -> Policy:
    """The same from its pieces: see `PolicyConfig` for each.

    Raises:
        CheckpointError, DeviceError: as `load`.
    """
    told = (tuple(policy_map),) if policy_map else ()
    policy: Policy = resolve(loader)(folder, device, *told)     # type: ignore[assignment]
    if flow_steps is not None:
        if not hasattr(policy, "flow_steps"):
            raise DeviceError(f"{folder} holds a policy without flow steps: leave --steps away")
        policy.flow_steps = flow_steps      # pyright: ignore[reportAttributeAccessIssue]
    return policy


def remark_on(folder: str, streams: Sequence[StreamSpec]) -> str:
    """What is not here as it was when a run of ours learned, in a sentence; empty if nothing is.

    Args:
        folder: of the run or of one of its checkpoints, or of the policy that it was exported as.
        streams: the robot's, and the station's `tick`.
    """
    rate_hz = next((one.rate_hz for one in streams if one.name == "tick"), 100.0)
    return other_latencies(trained_with(folder).get(LATENCY, {}), streams, 1000 / rate_hz)


def require_fit(policy: Policy, robot: RobotInfo, streams: Sequence[StreamSpec]) -> None:
    """Refuse a policy of others whose cameras or numbers this robot does not have.

    Args:
        policy: loaded.
        robot: that it is to drive.
        streams: the robot's, and the station's `tick`.

    Raises:
        DeviceError: naming all that does not fit, with what to do.
    """
    if isinstance(policy, Choosy) and (
            wrong := policy.misfits(robot.name, robot.joint_names, streams)):
        raise DeviceError(f"this policy does not fit {robot.name}: {'; '.join(wrong)}")
