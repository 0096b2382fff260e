"""Whether pictures of the simulated arm can be drawn, and whether a window can be opened.

Graphics drivers end the process when they do not like it, so every attempt is made in a process of
its own.
"""

import os
import subprocess
import sys

from studio.commands.checks.finding import Finding, Surroundings

_RENDER = """
import mujoco, numpy
model = mujoco.MjModel.from_xml_string(
    "<mujoco><worldbody><light pos='0 0 3'/><geom type='sphere' size='.5' rgba='1 0 0 1'/>"
    "</worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 16, 16) as renderer:
    renderer.update_scene(data)
    picture = renderer.render()
assert picture.shape == (16, 16, 3) and numpy.ptp(picture) > 0, "the picture is empty"
"""
_DISPLAY = """
import sys
from studio.console.probe import display_problem
sys.exit(display_problem() or None)
"""
_TIMEOUT_S = 60.0
_APT_RENDER = "apt install libegl1 libosmesa6 libgl1 libgl1-mesa-dri"
_VIRTUAL = "xvfb-run -s '-screen 0 1600x930x24 +extension GLX'"


def attempt(code: str, **environment: str) -> str:
    """Run Python code in a process of its own; the reason if it fails, else an empty string."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                              timeout=_TIMEOUT_S, env={**os.environ, **environment})
    except subprocess.TimeoutExpired:
        return f"no answer within {_TIMEOUT_S:.0f} s"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}"
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def check_rendering(_: Surroundings) -> list[Finding]:
    """Draw a small picture with each way of drawing without a display."""
    chosen = os.environ.get("MUJOCO_GL", "").lower()
    backends = (chosen,) if chosen in ("egl", "osmesa", "glfw") else ("egl", "osmesa")
    reasons = {name: attempt(_RENDER, MUJOCO_GL=name) for name in backends}
    works = [name for name, reason in reasons.items() if not reason]
    broken = "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason)
    if works:
        what = f"the simulator draws with {' and '.join(works)}"
        return [Finding("rendering", "ok", f"{what} ({broken})" if broken else what)]
    fix = f"{_APT_RENDER}, or unset MUJOCO_GL" if chosen else _APT_RENDER
    return [Finding("rendering", "fail", f"the simulated cameras cannot draw ({broken})", fix)]


def check_display(_: Surroundings) -> list[Finding]:
    """Whether the desktop console could open its window."""
    problem = attempt(_DISPLAY)
    if problem:
        what, _separator, remedy = problem.partition(": ")
        return [Finding("display", "warn", f"no window can be opened ({what})",
                        f"{remedy or 'use `tandem web`, or a virtual display'}: {_VIRTUAL}")]
    return [Finding("display", "ok", f"display {os.environ['DISPLAY']} with GLX")]
