"""What the simulated person at the desk asks for by command: to arm, and to let the policy go on.

The overseer's hand goes the way of any device (sim/overseer.py); its other hand, at the keys, is
here: it goes back to where things went wrong, if it is one that does; after a hold it arms, since
it wants to free the arm, and once it has let go of an arm that stands armed it lets the policy
drive again. Knows commands and modes; knows no scene.
"""

from studio.sim.overseer import Overseer
from studio.station.commands import SCRIPT, Arm, Command, Rewind, StartPolicy
from studio.station.loop.control_loop import TickRecord
from studio.station.messages import Mode
from studio.station.station import Station


class SimulatedPerson:
    """Gives commands on behalf of an overseer; a subscriber of the control loop."""

    def __init__(self, station: Station, overseer: Overseer) -> None:
        self._station, self._overseer = station, overseer
        station.loop.subscribers.append(self)

    def on_tick(self, tick: TickRecord) -> None:
        """Ask for what is needed now."""
        mode, overseer = self._station.loop.ownership.mode, self._overseer
        if not self._station.feed.open:
            if self._station.health.hints.get("session"):       # it waits for somebody to arm
                self._ask(Arm())
        elif seconds := overseer.wants_back_s:
            self._ask(Rewind(seconds))       # refused or not, the hand comes next
            overseer.went_back()
        elif mode is Mode.HOLD and overseer.wants_the_arm:
            self._ask(Arm())
        elif mode is Mode.ARMED and not overseer.wants_the_arm:
            self._ask(StartPolicy())

    def _ask(self, command: Command) -> None:
        self._station.handle(command, SCRIPT)


def attend(station: Station) -> None:
    """Let the station's teleoperator give commands too, if it is the simulated person."""
    if isinstance(station.loop.teleop, Overseer):
        SimulatedPerson(station, station.loop.teleop)
