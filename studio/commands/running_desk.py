"""Speaking to the desk that runs already, as a console does, over its private sockets.

Knows how a desk is found and waited for; refuses to know what it is asked.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from studio.commands.output import UsersMistakeError

if TYPE_CHECKING:
    from studio.station.commands import Reply
    from studio.station.desk.client import DeskClient
    from studio.station.desk.link import DeskRequest, DeskState

SILENT_S = 20.0             # a desk speaks five times a second, unless it stops a process
ANSWER_S = 10.0             # a person at a terminal waits longer than a window's frame


@contextmanager
def at_desk(otherwise: str) -> "Iterator[DeskClient]":
    """A client of the running desk.

    Args:
        otherwise: what to do where none runs, for the message.

    Raises:
        UsersMistakeError: none runs.
    """
    from recorders.clock import SystemClock
    from studio.station.commands import TERMINAL
    from studio.station.desk.address import find_desk
    from studio.station.desk.client import DeskClient
    from studio.station.processes.endpoints import open_context

    if (links := find_desk()) is None:
        raise UsersMistakeError(f"no desk runs: {otherwise}")
    with open_context() as context:
        client = DeskClient(context, links, SystemClock(), TERMINAL)
        try:
            yield client
        finally:
            client.close()


def asked(client: "DeskClient", request: "DeskRequest") -> "Reply":
    """The desk's reply.

    Raises:
        UsersMistakeError: it refuses; says why.
    """
    reply = client.ask_desk(request, ANSWER_S)
    if not reply.accepted:
        raise UsersMistakeError(reply.reason)
    return reply


def state_of(client: "DeskClient", enough: "Callable[[DeskState], bool]" = lambda state: True,
             patience_s: float = SILENT_S,
             meanwhile: "Callable[[DeskState], None]" = lambda state: None) -> "DeskState":
    """What the desk says of itself, once that is enough.

    Args:
        client: of the desk.
        enough: whether it is; states from before the call do not count.
        patience_s: how long to wait for it; infinite: as long as the desk speaks.
        meanwhile: told of every state that is not.

    Raises:
        UsersMistakeError: it did not become so in time, or the desk has ended meanwhile.
    """
    from recorders.clock import NS_PER_S, SystemClock

    clock = SystemClock()
    begun_ns = heard_ns = clock.now_ns()
    seen = None
    while (now_ns := clock.now_ns()) < begun_ns + patience_s * NS_PER_S:
        client.look()
        state = client.state
        if state is not None and state is not seen and state.stamp_ns >= begun_ns:
            seen, heard_ns = state, now_ns
            if enough(state):
                return state
            meanwhile(state)
        if now_ns > heard_ns + round(SILENT_S * NS_PER_S):
            raise UsersMistakeError(f"the desk has said nothing for {SILENT_S:g} s: see its "
                                    "messages")
        clock.wait_until(now_ns + NS_PER_S // 20)
    raise UsersMistakeError(f"this did not come about within {patience_s:g} s: see the desk's "
                            "messages")
