"""`tandem doctor`: is this machine fit, and if not, how to put it right.

Knows the list of checks and how to show what they find. A device that is absent is a warning; only
what keeps the simulated arm from being recorded is a failure (exit code 1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from recorders.clock import SystemClock
from studio.commands.checks.finding import Finding, Surroundings
from studio.commands.checks.graphics import check_display, check_rendering
from studio.commands.checks.hardware import (
    check_gamepad,
    check_hid_library,
    check_realsense,
    check_serial,
    check_spacemouse,
)
from studio.commands.checks.machine import (
    check_disk,
    check_jitter,
    check_network,
    check_processor,
)
from studio.commands.checks.software import check_environments, check_packages, check_python
from studio.commands.checks.sound import check_sound
from studio.commands.output import Answer, Screen

Check = Callable[[Surroundings], list[Finding]]

CHECKS: dict[str, Check] = {
    "Python": check_python,
    "packages": check_packages,
    "gymnasium environments": check_environments,
    "rendering": check_rendering,
    "display": check_display,
    "sound": check_sound,
    "HID library": check_hid_library,
    "SpaceMouse": check_spacemouse,
    "gamepads": check_gamepad,
    "RealSense cameras": check_realsense,
    "serial ports": check_serial,
    "disk": check_disk,
    "processor": check_processor,
    "punctuality": check_jitter,
    "network": check_network,
}
_MARKS = {"ok": "ok", "warn": "! warn", "fail": "✗ fail"}     # a mark: colour never says it alone


def run_doctor(
    around: Surroundings, begun: Callable[[str], None] = lambda what: None
) -> list[Finding]:
    """Run every check.

    Args:
        around: clock, store folder and file system to look at.
        begun: is told the name of each check that has ended.

    Returns:
        All findings. A check that itself breaks is a finding too: the doctor never gives up.
    """
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            findings += check(around)
        except Exception as error:  # outermost edge: the other checks still help
            findings.append(Finding(name.lower(), "warn", f"this check broke: {error!r}",
                                    "report it, with this line"))
        begun(name)
    return findings


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Check devices, permissions, graphics, disk and timing; each line says how to fix it."""

    to: Path = Path("datasets")
    """Where recordings will go: the disk that is measured."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Print what was found."""
        with screen.progress("looking at this machine", len(CHECKS)) as progress:
            findings = run_doctor(Surroundings(SystemClock(), self.to), progress.step)
        screen.table("", ("area", "state", "what", "how to fix it"), [
            (f.area, _MARKS[f.state], f.what, f.fix) for f in findings])
        failed = [f.area for f in findings if f.state == "fail"]
        screen.print(f"Not fit for work yet: {', '.join(failed)}" if failed else
                     "Fit for work on the simulated arm; warnings name what else is missing")
        return Answer({"findings": msgspec.to_builtins(findings), "ok": not failed},
                      ok=not failed)
