"""Whether the desktop console can be heard.

Opening a sound device may hang in its driver, so it is tried in a process of its own.
"""

from studio.commands.checks.finding import Finding, Surroundings
from studio.commands.checks.graphics import attempt

_OPEN = "from studio.console.sound_player import open_mixer; open_mixer().quit()"


def check_sound(_: Surroundings) -> list[Finding]:
    """Open the default sound device, as the console does when the first cue is due."""
    reason = attempt(_OPEN)
    if reason:
        return [Finding("sound", "warn", f"the desktop console is silent ({reason})",
                        "plug in headphones or choose a default sound device; recording works "
                        "without")]
    return [Finding("sound", "ok", "the default sound device opens")]
