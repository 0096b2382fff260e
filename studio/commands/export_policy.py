"""`tandem export-policy`: a run as a policy that LeRobot's own commands load.

Knows options and words; what is written is said in policy/foreign/lerobot_export.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from studio.commands.output import Answer, Screen


@dataclass(frozen=True, kw_only=True)
class ExportPolicy:
    """Write a dual-system run as a LeRobot policy of the type `tandem`."""

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a training run, or of one of its checkpoints."""
    to: Path
    """A folder for lerobot-eval's and lerobot-rollout's --policy.path; it must not exist yet."""
    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Export."""
        from policy.foreign.lerobot_export import export_policy
        from recorders.files import bytes_of_tree
        from studio.commands.output import readable_bytes
        from studio.sim.robot import SimRobot
        from studio.sim.samples import JOINT_NAMES

        done = export_policy(self.run_folder, self.to, SimRobot.name, JOINT_NAMES)
        screen.print(f"step {done.step}, {readable_bytes(bytes_of_tree(self.to))}: "
                     f"lerobot-eval --policy.path={self.to} --env.type=tandem --env.senses=true "
                     "--env.discover_packages_path=studio.lerobot_plugin")
        screen.print("it wants: " + ", ".join(
            f"{name} {'x'.join(map(str, shape))}" for name, shape in done.inputs.items()))
        return Answer({"to": str(self.to), "step": done.step, "inputs": done.inputs})
