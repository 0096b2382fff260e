"""`tandem train-peer`: the policies that ours is measured against, on the same demonstrations.

Knows options and words; which peers there are and how they learn is policy/peers/recipes.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from studio.commands.bounds import require_training
from studio.commands.output import Answer, Screen, UsersMistakeError
from studio.commands.train import Narrator, stop_on_ctrl_c

_MINUTES = 10.0


@dataclass(frozen=True, kw_only=True)
class TrainPeer:
    """Train a peer: LeRobot's ACT or Diffusion Policy, or plain behaviour cloning.

    LeRobot's policies learn from an export of the stores, with LeRobot's own loss, optimizer and
    preprocessors. `tandem eval` drives with all of them. What was chosen and why is
    in docs/peers.md.
    """

    kind: Annotated[Literal["act", "diffusion", "mlp", "mlp-state"], tyro.conf.Positional]
    """act, diffusion, mlp (on pictures), or mlp-state (on the simulator's objects)."""
    stores: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of the stores to learn from."""
    to: Path
    """Folder of the run; a new one."""
    minutes: float | None = None
    """How long to train; 10 if neither this nor --steps is given. Reading does not count."""
    steps: int | None = None
    """Train so many steps instead."""
    exports: Path | None = None
    """Keep the LeRobot datasets here and use them again; without it they are made anew."""
    imagenet: bool = False
    """Begin ACT or Diffusion with ImageNet weights, as LeRobot does; torchvision fetches them if
    they do not lie in its cache."""
    seed: int = 0
    """Of all chance."""
    threads: int = 1
    """Cores for arithmetic."""
    cpu_time: bool = False
    """Count --minutes as work done (CPU time over --threads), not by the clock on the wall."""
    device: str = "cpu"
    """Where to train: cpu, or cuda for a GPU."""
    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Train, and say how it went."""
        if not self.stores:
            raise UsersMistakeError("which demonstrations? `tandem train-peer KIND STORE … --to X`")
        require_training(self.minutes, self.steps, self.threads, self.seed, self.device)
        import torch

        from policy.peers.recipes import begin
        from policy.training.schedule import Budget
        from recorders.clock import CpuClock, SystemClock

        torch.set_num_threads(self.threads)
        minutes = None if self.steps is not None else self.minutes or _MINUTES
        budget = Budget(minutes=minutes, steps=self.steps)
        peer = begin(self.kind, self.stores, self.to, budget=budget, seed=self.seed,
                     exports=self.exports, imagenet=self.imagenet, device=self.device,
                     say=screen.say)
        screen.say(f"{peer.episodes} episodes; {budget} of {self.kind} on {self.threads} cores")
        with peer.run.locked(), stop_on_ctrl_c() as stopping, \
                screen.progress("training", 100) as progress:
            narrator = Narrator(screen, progress)
            clock = CpuClock(self.threads) if self.cpu_time else SystemClock()
            ending = peer.trainer(clock, (narrator.on_report,), stopping).train()
        if ending.stopped:
            screen.say(f"stopped; {ending.checkpoint or 'nothing was kept'}")
            raise KeyboardInterrupt
        screen.print(f"trained {ending.step} steps in {ending.minutes:.1f} minutes: "
                     f"{ending.checkpoint}")
        return Answer({"run": str(self.to), "kind": self.kind, "step": ending.step,
                       "checkpoint": str(ending.checkpoint), "minutes": ending.minutes,
                       "held_out": ending.metrics, "episodes": peer.episodes})
