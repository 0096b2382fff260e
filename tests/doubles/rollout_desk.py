"""A station on the real simulator under the manual clock, a policy that is a rule, and a hand."""

import msgspec
import numpy as np

from policy.driving.two_speeds import Delays, Pace
from policy.interfaces import Policy
from recorders.clock import NS_PER_S, Clock, ManualClock
from recorders.store import DemoStore
from studio.devices.absent import AbsentTeleoperator
from studio.devices.interfaces import HumanInput, Teleoperator, idle_input
from studio.sim.robot import SimRobot
from studio.station.commands import (
    Arm,
    Command,
    EndEpisode,
    ResetScene,
    StartEpisode,
    StartPolicy,
)
from studio.station.loop.control_loop import TickRecord
from studio.station.messages import Mode
from studio.station.recording.store_sink import StoreSink
from studio.station.serving.policy_in_process import PolicyInProcess
from studio.station.simulated_person import attend
from studio.station.station import Station

PICTURES = (48, 64)
LEFT = (0.0, 0.1, 0.0, 0.0, 0.0, 0.0)


class Hand(AbsentTeleoperator):
    """Rests, or pushes the tool (to the left, unless told otherwise) or a gripper button."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.pushing = False
        self.twist: tuple[float, ...] = LEFT
        self.gripper: float | None = None

    def read(self) -> HumanInput:
        twist = np.array(self.twist) if self.pushing else np.zeros(6)
        return msgspec.structs.replace(idle_input(self._clock.now_ns()), enabled=self.pushing,
                                       twist=twist, gripper=self.gripper)


class RolloutDesk:
    """A station, a hand, and a policy unless it is to be without; kept if there is a store."""

    def __init__(self, policy: Policy | None, pace: Pace | None = None,
                 delays: Delays | None = None, teleop: Teleoperator | None = None,
                 store: DemoStore | None = None, *, pictures: tuple[int, int] = PICTURES,
                 cameras: tuple[str, ...] = ("front",), depth: bool = False) -> None:
        self.clock = ManualClock(5 * NS_PER_S)
        self.robot = SimRobot(self.clock, image_size=pictures, cameras=cameras, depth=depth)
        self.robot.connect()
        self.hand = Hand(self.clock)
        if teleop is not None:
            teleop.connect()
        self.station = Station(clock=self.clock, robot=self.robot, teleop=teleop or self.hand,
                               sink=StoreSink(store))
        self.store, self.keeps = store, store is not None
        self.rows: list[np.void] = []
        self.station.loop.subscribers.append(self)
        attend(self.station)
        self.driver = PolicyInProcess(self.station.loop, policy, pace, delays) if policy else None
        if self.driver is not None:
            self.station.health.policy = self.driver.health

    def on_tick(self, tick: TickRecord) -> None:
        """Keep its row."""
        self.rows.append(tick.row[0])

    def ticks(self, count: int) -> list[np.void]:
        """So many; returns their rows."""
        for _ in range(count):
            self.clock.advance(NS_PER_S // 100)
            self.station.loop.tick()
        return self.rows[-count:]

    def do(self, command: Command) -> None:
        """Ask for something that must be accepted."""
        reply = self.station.handle(command)
        assert reply.accepted, reply.reason

    def begin(self, seed: int = 5000) -> None:
        """Let the policy put a cube into the bin."""
        self.do(ResetScene("put-cube-in-bin", seed))
        self.ticks(10)
        self.do(Arm())
        self.do(StartEpisode("put-cube-in-bin", practice=not self.keeps, seed=seed))
        self.do(StartPolicy())

    def end(self) -> str:
        """End the episode; returns its name."""
        episode = self.station.feed.episode
        self.do(EndEpisode())
        while self.station.feed.busy:
            self.ticks(1)
        return episode

    def push(self, ticks: int, twist: tuple[float, ...] = LEFT) -> list[np.void]:
        """The hand pushes for so many ticks, and lets go."""
        self.hand.pushing, self.hand.twist = True, twist
        rows = self.ticks(ticks)
        self.hand.pushing = False
        return rows

    @property
    def mode(self) -> Mode:
        """Of the station."""
        return self.station.loop.ownership.mode
