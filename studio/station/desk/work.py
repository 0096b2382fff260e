"""Bringing a desk's processes up, one after the other, while the desk goes on answering.

A work is a generator that stops at every wait; the desk advances it between two requests. What
fails ends the work, not the desk, and is kept as a sentence for the operator. Knows which process
needs which; refuses to know who asked.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec

from recorders.clock import NS_PER_S, Clock
from recorders.store import DemoStore, StoreError
from studio.station.desk.processes import (
    RECORDER,
    RERUN,
    ROBOT,
    RRD,
    STATION,
    WEB,
    DeskConfig,
    console_worker,
    recorder_worker,
    rerun_worker,
    robot_worker,
    rrd_worker,
    station_worker,
    web_worker,
)
from studio.station.processes.endpoints import Endpoints
from studio.station.processes.supervisor import Supervisor, WorkerFailed, WorkerSpec

START_NS = 60 * NS_PER_S    # a simulator on a busy machine
_AGAIN = "choose the devices again to start it anew"
_REMEDY = {ROBOT: _AGAIN, STATION: _AGAIN, RECORDER: "open the store again, or another one"}


class DeskWork:
    """Starts and stops the processes of a desk.

    Args:
        config: what to start; kept up to date in `config`.
        links: of the station.
        supervisor: owns the processes.
        clock: the machine's.
        when_driving: called whenever a station was started and serves.

    Attributes:
        busy: what is being started; empty when nothing is.
        refused: why the devices that were chosen last are not the ones that are used: they could
            not be opened, and those before are back; empty if they are.
    """

    def __init__(self, config: DeskConfig, links: Endpoints, supervisor: Supervisor, clock: Clock,
                 when_driving: Callable[[], None]) -> None:
        self.config, self.busy, self.refused = config, "starting", ""
        self._links, self._supervisor, self._clock = links, supervisor, clock
        self._when_driving = when_driving
        self._failure = self._untold = ""
        self._work: Iterator[None] | None = self._begin()

    @property
    def problem(self) -> str:
        """Why the station does not work, and what to do; empty when it does, or is started."""
        if self._failure or self.busy:
            return self._failure
        ended = self._supervisor.ended
        return next((f"the {name} has ended: {ended[name]}; {remedy}"
                     for name, remedy in _REMEDY.items() if name in ended), "")

    def runs(self, name: str) -> bool:
        """Whether a process of that name was started and has not ended."""
        return any(state.name == name for state in self._supervisor.states())

    def go_on(self) -> str:
        """Take the next step; returns what failed in it, if anything did."""
        if self._work is None:
            return ""
        try:
            next(self._work)
        except StopIteration:
            self._work, self.busy = None, ""
        except WorkerFailed as failed:
            self._work, self.busy, self._failure = None, "", str(failed)
            self._untold = self._failure
        told, self._untold = self._untold, ""
        return told

    def use(self, wanted: DeskConfig) -> None:
        """Work with other devices; asked for the same again, all is started anew.

        Devices that cannot be opened are refused: those that worked before are brought back.
        """
        before, self.config, self.refused = self.config, wanted, ""
        same_robot = (wanted.robot, wanted.robot_options) == (before.robot, before.robot_options)
        keep_robot = same_robot and wanted != before and self.runs(ROBOT)
        worked = self.runs(STATION) and self.runs(ROBOT) and wanted != before
        work = self._change_devices(keep_robot=keep_robot)
        self._take_on("starting the station with other devices",
                      self._or_back_to(before, work, keep_robot=keep_robot) if worked else work)

    def record_into(self, path: str) -> None:
        """Work with another store, or with none."""
        # The station is told at its start whether there is a recorder, not which store it has.
        keep_station = bool(path and self.config.store) and self.runs(STATION)
        self.config = msgspec.structs.replace(self.config, store=path)
        self._take_on("opening the store", self._change_store(keep_station=keep_station))

    def serve_web(self) -> None:
        """Start the web console, unless it runs."""
        if not self.runs(WEB):
            self._supervisor.start(web_worker(self.config, self._links))

    def _take_on(self, busy: str, work: Iterator[None]) -> None:
        self.busy, self._failure, self._work = busy, "", work

    # ---- works ----------------------------------------------------------------------------------

    def _begin(self) -> Iterator[None]:
        if self.config.console:
            self._supervisor.start(console_worker(self._links))
        if self.config.web:
            self.serve_web()
        self._start(robot_worker(self.config, self._links))     # it takes longest
        self._make_store()
        yield from self._open_store()
        yield from self._start_station()

    def _change_devices(self, *, keep_robot: bool) -> Iterator[None]:
        yield                       # what is done now is told before anything is stopped
        for name in (RERUN, STATION, *([] if keep_robot else [ROBOT])):
            self._supervisor.stop(name)
        yield from self._start_station()

    def _or_back_to(self, before: DeskConfig, work: Iterator[None], *, keep_robot: bool
                    ) -> Iterator[None]:
        """Do it; if it fails, go back to the devices that worked before."""
        try:
            yield from work
        except WorkerFailed as failed:
            self.refused = f"{failed}; back to {before.robot} and {before.teleop}"
            self._untold, self.config = self.refused, before
            yield from self._change_devices(keep_robot=keep_robot)

    def _change_store(self, *, keep_station: bool) -> Iterator[None]:
        yield
        if not keep_station:
            self._supervisor.stop(STATION)
        yield from self._open_store()
        if not keep_station:
            yield from self._start_station()

    def _make_store(self) -> None:
        """Once: a recorder that is started again must not make one where one was moved away."""
        with suppress(StoreError, OSError):         # the recorder says the same in a moment
            if self.config.store:
                DemoStore.open(self.config.store, create=True).close()

    def _open_store(self) -> Iterator[None]:
        for name in (RECORDER, RRD):
            self._supervisor.stop(name)
        if not self.config.store:
            return
        self._start(recorder_worker(self.config, self._links))
        yield from self._until_it_serves(RECORDER)
        if self.config.live:
            self._start(rrd_worker(self.config))

    def _start_station(self) -> Iterator[None]:
        if not self.runs(ROBOT):
            self._start(robot_worker(self.config, self._links))
        yield from self._until_it_serves(ROBOT)
        self._start(station_worker(self.config, self._links))
        yield from self._until_it_serves(STATION)
        self._when_driving()
        if self.config.live and not self.runs(RERUN):
            self._start(rerun_worker(self.config, self._links))

    def _start(self, spec: WorkerSpec) -> None:
        self._supervisor.stop(spec.name)
        self._supervisor.start(spec)

    def _until_it_serves(self, name: str) -> Iterator[None]:
        self.busy = f"starting the {name}"
        deadline_ns = self._clock.now_ns() + START_NS
        while not self._supervisor.serves(name):
            if self._clock.now_ns() > deadline_ns:
                self._supervisor.stop(name)
                raise WorkerFailed(f"the {name} is not ready after {START_NS // NS_PER_S} s: see "
                                   "its messages, or choose other devices")
            yield
