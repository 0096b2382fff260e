"""Options of the commands that run a policy live, and what they mean.

Shared by `rollout` and `serve`. Knows words and bounds; refuses to know what a policy is.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from studio.commands.bounds import require_at_least_one, require_device, require_finite
from studio.commands.evaluate import parse_pace

if TYPE_CHECKING:
    from studio.station.serving.policy_process import PolicyChoice


@dataclass(frozen=True, kw_only=True)
class PolicyOptions:
    """How a policy drives."""

    ratio: str = "1:4"
    """Runs of System 2 to calls of System 1, as 1:4; or "once" per episode."""
    act_every: int = 4
    """System 1 plans anew every so many steps of its chunk."""
    join: Literal["guided", "latest", "ensemble", "weighted-average"] = "guided"
    """How a chunk is joined to those before it. guided: System 1 plans around what is executed
    until the chunk arrives; latest: the newest alone; ensemble: the mean of all, as ACT's;
    weighted-average: 0.3 of the old and 0.7 of the new, as LeRobot's client."""
    steps: int | None = None
    """Flow steps of System 1; as in training if not given."""
    edit_mode: Literal["flush", "soft", "scheduled"] = "flush"
    """What new words do. flush: the running chunk is dropped, System 2 runs at once and the arm
    waits for it; soft: System 2 runs at once, the arm goes on; scheduled: System 2 in its turn."""
    deadline_ms: float = 0.0
    """Of System 1, from the tick that brought the picture; 0: a step of the chunk."""
    threads: int = 1
    """Threads of the network."""
    device: str = "cpu"
    """Where the network computes: cpu or cuda."""
    policy_map: tuple[str, ...] = ()
    """For a policy of LeRobot or of a server: its names and ours, as observation.images.top=front,
    observation.state=joints, action=joints, rate=30; docs/policies.md lists what may be said."""

    def choice(self, policy: str) -> "PolicyChoice":
        """The policy that is to drive so.

        Raises:
            UsersMistakeError: an option makes no sense; says which.
        """
        require_at_least_one((("--threads", self.threads), ("--act-every", self.act_every),
                              ("--steps", 1 if self.steps is None else self.steps)))
        require_finite("--deadline-ms", self.deadline_ms)
        require_device(self.device)
        # Here, because it brings the station: --help and a mistyped option need not wait.
        from studio.station.serving.policy_process import PolicyChoice

        return PolicyChoice(
            policy=policy, device=self.device, threads=self.threads, flow_steps=self.steps,
            pace=parse_pace(self.ratio, self.act_every, self.edit_mode), join=self.join,
            deadline_ms=self.deadline_ms, policy_map=self.policy_map)
