"""Lets the calling thread run before others, as far as this machine allows.

The control loop sleeps most of the time and must wake on time; on a busy machine an ordinary
thread waits its turn for ten milliseconds and more. Asked for first: the real-time round robin at
its lowest priority (not inherited by threads started later: these draw and encode), then a
favourable nice value. Knows Linux; elsewhere nothing happens.
"""

import os
import sys

NICE = -10


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
