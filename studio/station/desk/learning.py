"""How a desk's policy gets better while it drives: what is asked of trainer and versions.

Puts trainer (desk/training.py) and versions (desk/versions.py) together with the station that shows
who drives. Decides nothing itself.
"""

from collections.abc import Callable

import zmq

from policy.errors import CheckpointError
from recorders.clock import Clock
from studio.station.commands import Reply
from studio.station.desk.processes import DeskConfig
from studio.station.desk.training import TrainingAtDesk
from studio.station.desk.versions import VersionsAtDesk
from studio.station.desk.view import StationView
from studio.station.processes.bus import Endpoints
from studio.station.processes.supervisor import Supervisor
from studio.station.serving.policy_asking import PolicyAsking
from studio.station.training.training_link import (
    Promote,
    RollBack,
    StartTraining,
    StopTraining,
    TrainingRequest,
)
from studio.station.training.training_plan import trials_for


class LearningAtDesk:
    """Answers training requests.

    Args:
        links: of the station.
        context: of this process.
        supervisor: owns the processes.
        clock: the machine's.
        station: shows which version drives, and writes into the open episode.
        drives: is told the checkpoint's folder once another version drives.

    Attributes:
        training, versions: what they are doing is in their `state`.
    """

    def __init__(self, links: Endpoints, context: zmq.Context, supervisor: Supervisor,
                 clock: Clock, station: StationView, drives: Callable[[str], None]) -> None:
        self._asking, self._station = PolicyAsking(context, links), station
        self.training = TrainingAtDesk(links, context, supervisor)
        self.versions = VersionsAtDesk(self._asking, supervisor, clock, drives, station.note)

    def obey(self, request: TrainingRequest, desk: DeskConfig, by: str = "") -> Reply:
        """Do it, begin it, or refuse it with a reason; `by` is who asks, for the record."""
        if isinstance(request, StopTraining):
            return self.training.stop()
        try:
            driving = self.versions.driving(desk.policy, self._station.weights_version)
            match request:
                case StartTraining():
                    return self.training.start(request, desk, driving)
                case RollBack():
                    return self.versions.roll_back(request, driving, by)
                case Promote():
                    stores = self.training.stores or ((desk.store,) if desk.store else ())
                    return self.versions.promote(request, driving, stores, trials_for(
                        request, desk, self._station.scene[0]), by)
        except (CheckpointError, OSError) as refused:
            return Reply(False, str(refused))

    def go_on(self, desk: DeskConfig) -> list[str]:
        """Take the next step; returns what the operator should be told."""
        told = [self.training.go_on(), self.versions.go_on()]
        trainer = self.training.state.trainer
        self.versions.look(desk.policy, self._station.weights_version,
                           2 * trainer.published + bool(trainer.doing))
        return [line for line in told if line]

    def close(self) -> None:
        """Let go of the links."""
        self.training.close()
        self._asking.close()
