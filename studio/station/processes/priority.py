"""Lets the calling thread run before others, as far as this machine allows, or after them.

The control loop sleeps most of the time and must wake on time; on a busy machine an ordinary
thread waits its turn for ten milliseconds and more. Asked for first: the real-time round robin at
its lowest priority (not inherited by threads started later: these draw and encode), then a
favourable nice value. What may wait (a trainer) steps back instead. Knows Linux; elsewhere nothing
happens.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

NICE, PATIENT = -10, 10
FIRST_TO_GO = "500"         # of at most 1000, where memory is short: before whoever drives an arm


def raise_priority() -> str:
    """Raise the calling thread's priority; says in a few words what was granted."""
    if sys.platform != "linux":
        return "ordinary priority"
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        return "real-time priority"
    except PermissionError:
        pass
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)    # of this thread, as Linux counts
        return f"nice {NICE}"
    except PermissionError:
        return "ordinary priority: allow more with 'rtprio' in /etc/security/limits.conf"


def lower_priority() -> None:
    """Let everybody else run first, also this process's threads to come; and be the first to be
    ended where memory runs out.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, PATIENT)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
