"""A console whose station speaks of another robot, or is of another version."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from recorders.clock import NS_PER_S, ManualClock
from recorders.streams import Batch, Column, StreamSpec
from studio.sim.robot import SimRobot
from studio.station.desk.client import AGAIN_NS, DeskClient
from studio.station.messages import BATCHES
from studio.station.processes.bus import (
    CommandServer,
    LatestPublisher,
    open_context,
    private_endpoints,
)
from studio.station.processes.robot_link import RobotReply, RobotRequest
from studio.station.processes.wire import encode_batches
from studio.views.problems import problems_of

PATIENCE_MS = 20_000    # ends a broken test; a passing one never waits for it
ARM = next(spec for spec in SimRobot(ManualClock(NS_PER_S), render=False).info.streams
           if spec.name == "arm")
ANOTHER_ARM = StreamSpec(name="arm", rate_hz=100.0, columns=(
    Column(name="position", dtype="<f8", shape=(6,)),))


class Station:
    """A station's two ends that a console listens to, and that console.

    Attributes:
        asked: how often the console asked what robot it is.
    """

    def __init__(self, client: DeskClient, clock: ManualClock, batches: LatestPublisher) -> None:
        self.client, self.clock, self._batches = client, clock, batches
        self.asked = 0

    def sends(self, spec: StreamSpec) -> int:
        """Send a row of a stream; how many batches the console understood."""
        self.publish(spec)
        assert self.client._batches.wait(PATIENCE_MS)
        return len(self.client.look())

    def publish(self, spec: StreamSpec) -> None:
        rows = np.zeros(1, spec.row_dtype)
        self._batches.publish(BATCHES, encode_batches([Batch(spec.name, rows)]))

    def heard(self) -> bool:
        """Whether the console has subscribed; what it heard until then is thrown away."""
        for _ in range(PATIENCE_MS // 20):
            self.publish(ANOTHER_ARM)
            if self.client._batches.wait(20):
                return not self.client.look()
        return False


@pytest.fixture
def station() -> Iterator[Station]:
    clock, ended = ManualClock(NS_PER_S), threading.Event()
    info = SimRobot(clock, render=False).info
    with private_endpoints() as links, open_context() as context:
        batches = LatestPublisher(context, links.watch)
        server = CommandServer[RobotRequest, RobotReply](
            context, links.robot_request, RobotRequest, lambda why: RobotReply(False, reason=why))
        there = Station(DeskClient(context, links, clock), clock, batches)

        def answer() -> None:
            while not ended.is_set():               # until the fixture ends
                server.wait(50)
                for _, reply in server.poll():
                    there.asked += 1
                    reply(RobotReply(True, info=info))

        thread = threading.Thread(target=answer, name="robot")
        thread.start()
        try:
            assert there.heard()
            yield there
        finally:
            ended.set()
            thread.join()
            there.client.close()
            server.close()
            batches.close()


def test_rows_of_another_robot_are_forgotten_until_it_was_asked_what_it_is(station):
    assert station.client.learn_robot() and station.sends(ARM) == 1
    assert station.sends(ANOTHER_ARM) == 0
    assert station.client.robot is None and not station.client.problem
    assert station.client.learn_robot() and station.sends(ARM) == 1
    assert not station.client.problem


def test_a_station_of_another_version_is_a_problem_and_is_not_asked_again_and_again(station):
    for _ in range(2):
        assert station.client.learn_robot() and station.sends(ANOTHER_ARM) == 0
    (said,) = problems_of(None, None, False, station.client.problem)
    assert "all of one version" in said and "arm" in said
    assert not station.client.learn_robot() and station.asked == 2
    station.clock.advance(AGAIN_NS)
    assert station.client.learn_robot() and station.asked == 3
    assert station.client.problem and station.sends(ARM) == 1
    assert not station.client.problem
