"""A desk's trainer: started on demand, heard, stopped, and missed by nobody but the operator.

It trains on from the version that drives. Whatever ends it leaves a sentence and its versions, and
it can be gone on with. Knows a process and its link; refuses to know networks and who drives.
"""

import msgspec
import zmq

from policy.errors import CheckpointError
from policy.versions.ledger import Version
from studio.station.commands import Reply
from studio.station.desk.processes import TRAINER, DeskConfig, trainer_worker
from studio.station.processes.bus import Endpoints, LatestSubscriber
from studio.station.processes.supervisor import DONE, Supervisor
from studio.station.processes.wire import unpack
from studio.station.training.training_link import (
    TRAINING,
    StartTraining,
    TrainerState,
    TrainingState,
)
from studio.station.training.training_plan import Plan, plan_training

# The system, a library that cannot start a thread, and one that cannot be loaded end it so.
_NOT_ITS_WILL = ("killed by SIGKILL", "killed by SIGABRT", "ended with exit code 127")
_states = msgspec.msgpack.Decoder(TrainerState)


class TrainingAtDesk:
    """Starts, hears and stops the trainer.

    Args:
        links: of the station.
        context: of this process.
        supervisor: owns the processes.

    Attributes:
        state: as consoles see it.
        stores: that the newest training learns from.
    """

    def __init__(self, links: Endpoints, context: zmq.Context, supervisor: Supervisor) -> None:
        self._links, self._supervisor = links, supervisor
        self._said = LatestSubscriber(context, links.training, TRAINING)
        self._plan: Plan | None = None
        self.state, self.stores = TrainingState(), tuple[str, ...]()

    def start(self, request: StartTraining, desk: DeskConfig, driving: Version) -> Reply:
        """Begin to train, or go on."""
        if self.state.running:
            return Reply(False, "a training goes on: stop it first")
        if request.resume and (self._plan is None or not self.state.resumable):
            return Reply(False, "there is no training to go on with: begin one")
        try:
            if not request.resume or self._plan is None:
                self._plan = plan_training(request, desk, driving)
        except (CheckpointError, OSError) as refused:
            return Reply(False, str(refused))
        plan, self.stores = self._plan, self._plan.stores
        self._said.newest()             # of another training
        self._supervisor.start(trainer_worker(plan, self._links, resume=request.resume))
        self.state = TrainingState(running=True, trainer=TrainerState(
            run=plan.run, method=plan.method, doing="starting"))
        return Reply(True, plan.missing, plan.run)

    def stop(self) -> Reply:
        """End the training after its step; what was learned is saved."""
        if not self.state.running:
            return Reply(False, "no training goes on")
        self._supervisor.let_end(TRAINER)
        return Reply(True)

    def go_on(self) -> str:
        """Hear how it goes; returns what the operator should be told, if anything."""
        if (frames := self._said.newest()) is not None:
            self.state = msgspec.structs.replace(self.state, trainer=unpack(frames[0], _states))
        if not self.state.running or TRAINER not in self._supervisor.ended:
            return ""
        reason, trainer = self._supervisor.ended[TRAINER], self.state.trainer
        self._supervisor.forget(TRAINER)
        whole = reason == DONE
        problem = "" if whole else (f"the training has ended: {explained(reason)}; its versions "
                                    "stay, and it can be gone on with")
        self.state = TrainingState(
            problem=problem, resumable=not whole or trainer.share < 1.0,
            trainer=msgspec.structs.replace(trainer, doing=""))
        return problem or f"the training has ended after {trainer.minutes:.1f} minutes"

    def close(self) -> None:
        """Let go of the link."""
        self._said.close()


def explained(reason: str) -> str:
    """Why a trainer ended, with what an operator may not know of signals."""
    hint = ", as happens where memory runs out" if reason in _NOT_ITS_WILL else ""
    return reason + hint
