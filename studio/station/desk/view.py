"""What a desk sees of its own station, and what it shows of its processes.

Knows the newest snapshot and the supervisor's tables; decides nothing.
"""

from contextlib import suppress

import msgspec
import zmq

from studio.station.commands import Command, JoinPolicy, NoteVersion, Reply, ResetScene
from studio.station.desk.link import DeskProcess
from studio.station.messages import SNAPSHOT, Mode, Snapshot
from studio.station.processes.bus import CommandClient, Endpoints, LatestSubscriber, StationSilent
from studio.station.processes.supervisor import Supervisor
from studio.station.processes.wire import unpack

_snapshots = msgspec.msgpack.Decoder(Snapshot)
_AT_REST = (Mode.IDLE, Mode.HOLD, Mode.STOP, Mode.FAULT)
JOIN_S = 0.5
SCENE_S = 3.0               # to set up the first scene; a simulator takes a tenth of it


class StationView:
    """The station as its own desk sees it."""

    def __init__(self, context: zmq.Context, links: Endpoints) -> None:
        self._snapshots = LatestSubscriber(context, links.watch, SNAPSHOT)
        self._commands: CommandClient[Command, Reply] = CommandClient(
            context, links.command, Reply, name="desk")
        self._snapshot: Snapshot | None = None
        self.scene: tuple[str, int] = ("", 0)
        """Task and seed of the scene that was set up last, by whomever."""

    def look(self) -> None:
        """Take the newest snapshot."""
        if (frames := self._snapshots.newest()) is not None:
            self._snapshot = unpack(frames[0], _snapshots)
            if self._snapshot.task:
                self.scene = (self._snapshot.task, self._snapshot.seed)

    @property
    def episode(self) -> str:
        """The episode that is open or being written; empty if none is."""
        return "" if self._snapshot is None else (
            self._snapshot.episode or self._snapshot.recorder.writing)

    @property
    def at_work(self) -> str:
        """What would be cut off if the desk ended now; empty if nothing would be."""
        if self._snapshot is None:
            return ""
        if self._snapshot.episode:
            return "an episode is open"
        return "" if self._snapshot.mode in _AT_REST else "the arm is armed"

    def set_scene(self, task: str, seed: int) -> None:
        """Set up a task's scene, so that there is something to see; a refusal is no harm."""
        with suppress(StationSilent):
            self._commands.call(ResetScene(task, seed), SCENE_S)

    @property
    def policy_drives(self) -> bool:
        """Whether the arm follows the policy, or shall as soon as a person lets go."""
        return self._snapshot is not None and self._snapshot.mode in (
            Mode.AUTO, Mode.SHARED, Mode.HANDBACK)

    @property
    def weights_version(self) -> int:
        """Of the policy, as it says itself; 0 if it says nothing."""
        policy = None if self._snapshot is None else self._snapshot.policy
        return 0 if policy is None else policy.weights_version

    def note(self, decision: NoteVersion) -> None:
        """Write a decision into the open episode."""
        with suppress(StationSilent):       # there is none then
            self._commands.call(decision, JOIN_S, connect_s=0.0)

    def join(self, policy: str) -> None:
        """Tell the station of its policy, by name; empty: there is none."""
        with suppress(StationSilent):       # a station that is started later is told then
            self._commands.call(JoinPolicy(policy), JOIN_S, connect_s=JOIN_S if policy else 0.0)

    def close(self) -> None:
        """Let go of the links."""
        self._snapshots.close()
        self._commands.close()


def processes_of(supervisor: Supervisor) -> tuple[DeskProcess, ...]:
    """Every process that runs or has ended without being asked."""
    running = [DeskProcess(state.name, state.running, state.restarts)
               for state in supervisor.states()]
    return (*running, *(DeskProcess(name, False, reason=reason)
                        for name, reason in supervisor.ended.items()))
