"""How a desk asks its policy's process for something that takes its time, without waiting for it.

Loading weights takes seconds; the thread here waits, the desk goes on. Knows the link; refuses to
know what is asked.
"""

from concurrent.futures import Future, ThreadPoolExecutor

import zmq

from studio.station.commands import Reply
from studio.station.processes.bus import CommandClient, Endpoints, StationSilent
from studio.station.serving.policy_link import PolicyRequest

ANSWER_S = 120.0            # to load and warm up a large network on a busy machine
THERE_S = 1.0


class PolicyAsking:
    """Asks in a thread of its own, one request after the other."""

    def __init__(self, context: zmq.Context, links: Endpoints) -> None:
        self._context, self._address = context, links.policy_request
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="policy-asking")
        self._client: CommandClient[PolicyRequest, Reply] | None = None

    def ask(self, request: PolicyRequest) -> Future[Reply]:
        """The reply, some day; a policy that is not there is a refusal that says so."""
        return self._thread.submit(self._ask, request)

    def close(self) -> None:
        """End, without waiting for an answer that is still to come."""
        self._thread.submit(self._let_go)
        self._thread.shutdown(wait=False)

    def _ask(self, request: PolicyRequest) -> Reply:
        if self._client is None:        # here, because a socket belongs to one thread
            self._client = CommandClient(self._context, self._address, Reply, "the policy")
        try:
            return self._client.call(request, ANSWER_S, connect_s=THERE_S)
        except StationSilent as silent:
            return Reply(False, str(silent))

    def _let_go(self) -> None:
        if self._client is not None:
            self._client.close()
