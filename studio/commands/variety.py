"""What makes a script's demonstrations differ: errors, styles, edits, nudges.

Knows the options of `tandem record` and which task can have them; refuses to know how a script or a
simulator brings them about.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from studio.commands.output import UsersMistakeError
from studio.sim.edits import can_be_edited
from studio.sim.tasks import TASKS, moves_a_cube

_SIM, _SCRIPTED = "sim", "scripted"
FASTEST_DRIFT_M_S = 0.1


class Variety(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `tandem record`; see there."""

    clumsy: bool = False
    perturbed: bool = False
    styles: Literal["plain", "mixed"] = "plain"
    edits: float = 0.0
    bumps: float = 0.0

    def require(self, *, robot: str, script: bool, task: str) -> None:
        """Refuse what cannot be had.

        Args:
            robot: its name.
            script: whether a script drives.
            task: a valid one.

        Raises:
            UsersMistakeError: saying what can.
        """
        if not 0.0 <= self.edits <= 1.0:
            raise UsersMistakeError(f"--edits is a share of the episodes, 0 to 1, not {self.edits}")
        if (self.clumsy or self.perturbed) and not script:
            raise UsersMistakeError("--clumsy and --perturbed are for a script; a person needs no "
                                    "help")
        if self.clumsy and self.perturbed:
            raise UsersMistakeError("--clumsy and --perturbed exclude each other: choose one")
        varied = self.styles != "plain" or self.edits or self.bumps
        if varied and not (script and robot == _SIM):
            raise UsersMistakeError(f"--styles, --edits and --bumps need --robot {_SIM} and "
                                    f"--teleop {_SCRIPTED}")
        if self.edits and not can_be_edited(task):
            raise UsersMistakeError(f"{task} asks for one thing only, so there is nothing to edit: "
                                    f"--edits is for {_listed(can_be_edited)}")
        disturbed(robot, task, bumps=self.bumps)

    def teleop_options(self, seed: int) -> dict[str, Any]:
        """For the script; empty for a plain one and for a device."""
        chosen = {"clumsy": self.clumsy, "perturbed": self.perturbed,
                  "many_styles": self.styles == "mixed"}
        named = {name: True for name, wanted in chosen.items() if wanted}
        return named and named | {"seed": seed}

    def robot_options(self) -> dict[str, Any]:
        """For the simulator; empty for one that holds still."""
        return {"disturbance": {"bump_chance": self.bumps}} if self.bumps else {}


def disturbed(robot: str, task: str, *, bumps: float = 0.0, drift_m_s: float = 0.0
              ) -> dict[str, float]:
    """What shall happen to the cube that a task asks for, as the simulator takes it.

    Raises:
        UsersMistakeError: it cannot happen there; the message says where it can.
    """
    if not 0.0 <= bumps <= 1.0:
        raise UsersMistakeError(f"--bumps is a share of the episodes, 0 to 1, not {bumps}")
    if not 0.0 <= drift_m_s <= FASTEST_DRIFT_M_S:
        raise UsersMistakeError(f"--drift is a speed of 0 to {FASTEST_DRIFT_M_S} m/s, "
                                f"not {drift_m_s}")
    wanted = {"bump_chance": bumps, "drift_m_s": drift_m_s}
    if any(wanted.values()) and not (robot == _SIM and moves_a_cube(task)):
        raise UsersMistakeError(f"{task} moves no cube that could be disturbed: --bumps and "
                                f"--drift need --robot {_SIM} and one of {_listed(moves_a_cube)}")
    return {name: share for name, share in wanted.items() if share}


def _listed(fits: Callable[[str], bool]) -> str:
    return ", ".join(task for task in TASKS if fits(task))
