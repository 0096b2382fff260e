"""The desktop console's process: role "console" of worker.py.

Opens the window, draws until it is closed or the supervisor wants an end, and leaves everything as
it is: the arm and the recording belong to the desk. Closing the window tells the desk that its
person left; being killed tells it nothing, and costs nothing.
"""

import os
import sys
import threading
from pathlib import Path

import msgspec

from recorders.clock import NS_PER_S
from studio.console.console import Console
from studio.console.event_log import EventLog
from studio.console.probe import display_problem, screen_size
from studio.console.toolkit import dpg
from studio.console.window import open_context as open_toolkit
from studio.console.window import open_window, run_callbacks, within
from studio.devices.interfaces import DeviceError
from studio.station.processes.bus import Endpoints, open_context
from studio.station.processes.worker import Life
from studio.views.redraw import Redraw, RedrawLimits
from studio.views.settings import load_settings, settings_folder

LOOK_NS = NS_PER_S // 25        # how often news are taken while nothing is drawn
DRAWING_NICENESS = 10
COUNT_FRAMES = 5                # a line in the event log for so many
FIRST_FRAMES = 6                # the toolkit finds its layout in these


class ConsoleConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a console is told."""

    links: Endpoints
    """Of the desk."""
    task: str = ""
    """The task to begin with; the last one, if empty."""
    name: str = "console"
    """What the desk calls it."""
    folder: str = ""
    """Where settings and layouts are kept; the user's own folder, if empty."""
    events: str = ""
    """A file for what happens here, one JSON object a line; for tests."""
    limit_redraws: bool = True
    """Draw only what changed; off only to measure what that is worth."""


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: show the console until its window is closed.

    Raises:
        DeviceError: no window can be opened here; the message says what to do.
    """
    told = msgspec.json.decode(config, type=ConsoleConfig)
    if problem := display_problem():
        raise DeviceError(problem)
    folder = Path(told.folder) if told.folder else settings_folder()
    settings, complaint = load_settings(folder)
    events = EventLog(told.events, life.clock)
    size = within(settings.window, screen_size())
    with open_toolkit(folder, size), open_context() as context:
        console = Console(context, told.links, life.clock, settings, folder, events,
                          name=told.name, task=told.task, complaint=complaint)
        left = False
        try:
            give_way()
            open_window(size, settings.palette)
            life.ready("the window is open")
            frames = _draw(console, life, RedrawLimits() if told.limit_redraws else None)
            left = not dpg.is_dearpygui_running()
            events.say("closed", by_person=left, frames=frames)
        finally:
            console.close(left=left)
            events.close()


def give_way() -> None:
    """Draw only with what the control loop and the cameras leave of this machine's processors.

    For this thread and those that it starts from now on, such as a software renderer's; the one
    that looks at the keys runs already.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), DRAWING_NICENESS)
    cores = os.cpu_count() or 1
    os.environ.setdefault("LP_NUM_THREADS", str(max(1, cores // 2)))    # Mesa's llvmpipe


def _draw(console: Console, life: Life, limits: RedrawLimits | None) -> int:
    """Take news, show them, and draw when that is due; returns how many frames it drew."""
    clock, redraw, frames = life.clock, Redraw(), 0
    while dpg.is_dearpygui_running() and not life.stopping:
        life.beat()
        now_ns = clock.now_ns()
        if console.keys.touched.is_set():
            console.keys.touched.clear()
            redraw = redraw.touched(now_ns)
        console.turn(now_ns)
        due_ns = 0 if limits is None or frames < FIRST_FRAMES else redraw.due_ns(
            limits, changed=console.changed, moving=console.moving)
        if now_ns >= due_ns:
            began_ns = clock.now_ns()
            dpg.render_dearpygui_frame()
            redraw, frames = redraw.drew(began_ns, clock.now_ns()), frames + 1
            if run_callbacks():
                redraw = redraw.touched(clock.now_ns())
            console.drawn()
            if frames % COUNT_FRAMES == 0:
                console.events.say("frames", count=frames)
            if frames == FIRST_FRAMES:
                console.events.say("ready", places=console.panels.places())
        else:
            console.keys.touched.wait(min(due_ns - now_ns, LOOK_NS) / NS_PER_S)
    return frames
