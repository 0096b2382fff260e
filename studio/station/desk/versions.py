"""Which version of the policy's weights drives at a desk: promoted past the gate, or rolled back.

One thing is done to a version at a time: it is measured where nobody has measured that pair, the
gate decides, the policy's process swaps; each a step between two requests, so that the desk goes on
answering. Every decision is written into the version's ledger and into the open episode. What was
promoted is loaded again, should the policy's process have to be started anew. Knows processes,
ledgers and the gate's rules; refuses to know networks.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import msgspec

from policy.errors import CheckpointError
from policy.versions import ledger
from policy.versions.gate import GateFigures, objections_to, refusal
from policy.versions.ledger import Entry, Version
from recorders.clock import Clock
from studio.station.commands import NoteVersion, Reply
from studio.station.desk.processes import GATE, gate_worker
from studio.station.processes.supervisor import Supervisor, WorkerFailed
from studio.station.serving.policy_asking import PolicyAsking
from studio.station.serving.policy_link import PolicyRequest, SwapBack, SwapWeights
from studio.station.training.training_link import Promote, RollBack, VersionsState

ACCEPTED = Reply(True)
Work = Iterator[None]


class VersionsAtDesk:
    """Lists, promotes and rolls back.

    Args:
        asking: asks the policy's process.
        supervisor: owns the processes.
        clock: the machine's.
        drives: is told the checkpoint's folder once another version drives.
        note: writes a decision into the open episode.

    Attributes:
        state: as consoles see it.
    """

    def __init__(self, asking: PolicyAsking, supervisor: Supervisor, clock: Clock,
                 drives: Callable[[str], None], note: Callable[[NoteVersion], Any]) -> None:
        self._asking, self._supervisor, self._clock = asking, supervisor, clock
        self._drives, self._note = drives, note
        self._work: Work | None = None
        self._before: Version | None = None     # what drove before the last promotion
        self._untold, self._listed = "", ("", 0, 0, 0)
        self._by = ""                           # who asked for what is being done
        self.state = VersionsState()

    def driving(self, folder: str, number: int) -> Version:
        """The version that drives.

        Args:
            folder: of the policy's run or checkpoint.
            number: that the policy's process says it drives with; 0 if it says nothing.

        Raises:
            CheckpointError: there is none.
        """
        if not folder:
            raise CheckpointError("no policy is there: choose one first")
        latest = ledger.latest_of(Path(folder))
        if number in (0, latest.number):
            return latest
        return next((one for one in ledger.versions_of(Path(latest.run)) if one.number == number),
                    latest)

    def look(self, folder: str, number: int, published: int) -> None:
        """List the versions anew, if there may be other ones.

        Args:
            folder, number: see `driving`.
            published: grows with every version that a trainer has published or measured.
        """
        seen = folder, number, published, self.state.decisions
        if seen == self._listed:
            return
        self._listed = seen
        try:
            drives = self.driving(folder, number)
            self._change(versions=tuple(ledger.family_of(Path(drives.run))),
                         driving_run=drives.run, driving=drives.number)
        except (CheckpointError, OSError):
            self._change(versions=(), driving_run="", driving=0)

    def forget(self) -> None:
        """Another policy was chosen by hand: there is nothing to go back to."""
        self._before = None
        self._change(before_run="", before=0)

    def promote(self, request: Promote, driving: Version, stores: tuple[str, ...],
                trials: dict[str, Any] | None, by: str = "") -> Reply:
        """Let a version drive, if it passes the gate.

        Args:
            request: which one.
            driving: what it takes over from.
            stores: to measure it on, if nobody has.
            trials: simulated scenes to try both in, as plain values of `Trials`; None for none.
            by: who asks, for the record.
        """
        if self._work is not None:
            return Reply(False, f"wait: {self.state.doing}")
        run = str(Path(request.run).expanduser().absolute()) if request.run else ""
        fitting = [one for one in self.state.versions if one.number == request.version] \
            if not run else [one for one in ledger.versions_of(Path(run))
                             if one.number == request.version]
        if not fitting:
            return Reply(False, _unknown(request.version, self.state.versions))
        version = fitting[-1]
        if (version.run, version.number) == (driving.run, driving.number):
            return Reply(False, f"version {version.number} drives already")
        self._take_on(f"version {version.number} is being looked at",
                      self._promotion(request, version, driving, stores, trials), by)
        return ACCEPTED

    def roll_back(self, request: RollBack, driving: Version, by: str = "") -> Reply:
        """Let the version before drive again."""
        if self._work is not None:
            return Reply(False, f"wait: {self.state.doing}")
        if self._before is None:
            return Reply(False, "there is no version to go back to: none was promoted here")
        before = self._before
        self._take_on(f"version {before.number} is being brought back",
                      self._return(request, driving, before), by)
        return ACCEPTED

    def go_on(self) -> str:
        """Take the next step; returns what the operator should be told, if anything."""
        if self._work is not None:
            try:
                next(self._work)
            except StopIteration:
                self._end()
            except (CheckpointError, OSError, WorkerFailed) as failed:
                self._end()
                self._decide(str(failed), refused=True)
        told, self._untold = self._untold, ""
        return told

    # ---- works ----------------------------------------------------------------------------------

    def _take_on(self, doing: str, work: Work, by: str) -> None:
        self._work, self._by = work, by
        self._change(doing=doing)
        self._untold = self.go_on()         # at once: somebody may be waiting at the arm

    def _end(self) -> None:
        self._supervisor.stop(GATE)
        self._work = None
        self._change(doing="")

    def _promotion(self, request: Promote, version: Version, driving: Version,
                   stores: tuple[str, ...], trials: dict[str, Any] | None) -> Work:
        figures = version.figures
        if figures is None or trials or (figures.against_run, figures.against) != (
                driving.run, driving.number):
            self._change(doing=f"version {version.number} is being measured")
            figures = yield from self._measured(version, driving, stores, trials)
        objections = objections_to(figures, request.bounds)
        decided = Entry(wall_ns=0, what="promoted", version=version.number, figures=figures,
                        says="; ".join(one.says for one in objections), reason=request.overrule)
        if refused := refusal(objections, request.overrule):
            self._write(version, driving, decided, what="refused", reason="")
            self._decide(f"version {version.number} is refused: {refused}", refused=True,
                         refused_run=version.run, refused_version=version.number)
            return
        self._change(doing=f"version {version.number} is being loaded")
        reply, took_ms = yield from self._asked(SwapWeights(version.folder))
        if not reply.accepted:
            self._write(version, driving, decided, what="refused", reason="", says=reply.reason)
            self._decide(f"version {version.number} is refused: {reply.reason}", refused=True,
                         refused_run=version.run, refused_version=version.number)
            return
        self._before = driving
        self._take_over(version, took_ms)
        self._write(version, driving, decided, swap_ms=took_ms)
        self._decide(f"version {version.number} drives"
                     + (f", overruled: {decided.says}" if decided.says else ""))

    def _return(self, request: RollBack, driving: Version, before: Version) -> Work:
        reply, took_ms = yield from self._asked(SwapBack(before.number))
        if not reply.accepted:              # its process was started anew: nothing is in memory
            reply, took_ms = yield from self._asked(SwapWeights(before.folder))
        if not reply.accepted:
            self._decide(f"version {driving.number} goes on: {reply.reason}", refused=True)
            return
        self._before = None
        self._take_over(before, took_ms)
        self._write(driving, driving, Entry(
            wall_ns=0, what="rolled back", version=driving.number, reason=request.reason,
            swap_ms=took_ms, to_run=before.run, to_version=before.number))
        self._decide(f"version {before.number} drives again")

    def _measured(self, version: Version, driving: Version, stores: tuple[str, ...],
                  trials: dict[str, Any] | None) -> Generator[None, None, GateFigures]:
        self._supervisor.stop(GATE)
        self._supervisor.start(gate_worker(version.folder, driving.folder, stores, trials))
        while not self._supervisor.serves(GATE):
            yield
        said = next(state.said for state in self._supervisor.states() if state.name == GATE)
        self._supervisor.stop(GATE)
        return msgspec.json.decode(said, type=GateFigures)

    def _asked(self, request: PolicyRequest) -> Generator[None, None, tuple[Reply, float]]:
        """The policy's reply, and how many ms it took."""
        began_ns, coming = self._clock.now_ns(), self._asking.ask(request)
        while not coming.done():
            yield
        return coming.result(), (self._clock.now_ns() - began_ns) / 1e6

    # ---- what was decided -----------------------------------------------------------------------

    def _take_over(self, version: Version, took_ms: float) -> None:
        self._drives(version.folder)
        before = self._before
        self._change(swap_ms=took_ms, driving_run=version.run, driving=version.number,
                     before_run=before.run if before else "", before=before.number if before else 0)

    def _write(self, version: Version, driving: Version, entry: Entry, **fields: Any) -> None:
        entry = msgspec.structs.replace(entry, wall_ns=self._clock.wall_ns(), by=self._by,
                                        **fields)
        ledger.append(Path(version.run), entry)
        acts = entry.to_version if entry.what == "rolled back" else entry.version
        self._note(NoteVersion(
            what=entry.what, version=acts, before=driving.number, says=entry.says, by=entry.by,
            run=Path(entry.to_run or version.run).name, reason=entry.reason,
            figures={} if entry.figures is None else msgspec.to_builtins(entry.figures)))

    def _decide(self, decision: str, *, refused: bool = False, refused_run: str = "",
                refused_version: int = 0) -> None:
        self._untold = decision
        self._change(decision=decision, refused=refused, refused_run=refused_run,
                     refused_version=refused_version, decisions=self.state.decisions + 1)

    def _change(self, **fields: Any) -> None:
        self.state = msgspec.structs.replace(self.state, **fields)


def _unknown(number: int, versions: tuple[Version, ...]) -> str:
    there = ", ".join(str(one.number) for one in versions) or "none"
    return f"there is no version {number}; there are {there}"
