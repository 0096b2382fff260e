"""The robot's process: holds the device, forwards what it says, and stops it when nobody speaks.

Whatever happens to the station, this process still holds the arm: a moving arm that hears no
target for 100 ms is braked to a stand. After any such silence, and at the start, the arm moves
again only for a target that begins where it stands. Targets that are not finite or outside the
robot's limits are refused here once more.
It knows one `RobotDriver`; it refuses to know who drives and why.
"""

from typing import Any, cast

import msgspec
import numpy as np
import zmq

from recorders.clock import NS_PER_S, Clock
from recorders.streams import Batch
from studio.devices.interfaces import DeviceError, Resettable, Rewindable, RobotDriver
from studio.station.processes.bus import (
    CommandServer,
    Endpoints,
    LatestSubscriber,
    LosslessSender,
    open_context,
)
from studio.station.processes.priority import raise_priority
from studio.station.processes.robot_link import (
    TARGET,
    Describe,
    GoBack,
    HostReport,
    Reset,
    Reword,
    RobotReply,
    RobotRequest,
    Target,
)
from studio.station.processes.wire import WireError, encode_batches, pack, unpack
from studio.station.processes.worker import Life, resolve

SILENCE_NS = NS_PER_S // 10         # S2: a station that says nothing for longer is gone
COMPLAINT_NS = NS_PER_S // 5        # a refusal is reported this long: the station surely sees it
STILL_RAD_S = 0.01                  # slower than this is standing
BRAKE_NS = NS_PER_S // 2            # braking from full speed takes 0.2 s; then it is held as it is
MARGIN = 0.05                       # rad: a held arm's measured position may lie past its limits
STATION_WAITS = 200                 # messages, a second's worth; more means a dead station


class RobotHostConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the robot's process is told."""

    links: Endpoints
    """Where the station's links listen."""
    driver: str
    """The driver's class or factory as "module:name"; is called with the clock and the options."""
    options: dict[str, Any] = {}
    """Passed to the driver by name."""
    poll_hz: float = 200.0
    """How often the device is read; twice the control rate keeps samples younger than a tick."""


_target_decoder = msgspec.msgpack.Decoder(Target)


class RobotHost:
    """Serves one connected driver to one station.

    Args:
        driver: connected; disconnecting it stays its owner's.
        context: of this process.
        links: of the station.
        clock: whose stamps the station's targets carry.
    """

    def __init__(self, driver: RobotDriver, context: zmq.Context, links: Endpoints,
                 clock: Clock) -> None:
        self._driver, self._clock = driver, clock
        self._lower, self._upper = np.array(driver.info.lower), np.array(driver.info.upper)
        self._deceleration = np.array(driver.info.max_acceleration)
        self._speed = np.array(driver.info.max_velocity)
        self._reach = self._speed * SILENCE_NS / NS_PER_S
        self._robot = LosslessSender(context, links.robot, capacity=STATION_WAITS, bind=True,
                                     linger_s=0.3)
        self._targets = LatestSubscriber(context, links.target, TARGET)
        self._requests = CommandServer[RobotRequest, RobotReply](
            context, links.robot_request, RobotRequest, lambda why: RobotReply(False, reason=why))
        self._arm: np.void | None = None
        self._commanded: np.ndarray | None = None   # (D,)
        self._heard_ns = self._fresh_since_ns = clock.now_ns()
        self._following = False         # the station speaks, and began where the arm stood
        self._braking_since_ns: int | None = None
        self._complaint, self._complaint_ns = "", 0
        self._next_report_ns = 0
        self.held = False

    def step(self) -> None:
        """One turn: answer, follow the newest target, watch for silence, forward samples."""
        self._answer()
        self._follow()
        if self._clock.now_ns() - self._heard_ns > SILENCE_NS:
            self._following = False
            self._hold_if_moving()
        self._forward(self._driver.poll())

    def wait(self, timeout_ms: int) -> None:
        """Block until a target comes or the time has passed."""
        self._targets.wait(timeout_ms)

    def brake(self) -> bool:
        """Take the arm to a stand, whoever speaks; to be repeated until True: it stands."""
        self._hold_if_moving()
        self._forward(self._driver.poll())
        return self._braking_since_ns is None and not self._moving

    def close(self) -> None:
        """Close the links."""
        for link in (self._robot, self._targets, self._requests):
            link.close()

    # ---- what the station says ------------------------------------------------------------------

    def _follow(self) -> None:
        if (frames := self._targets.newest()) is None:
            return
        try:
            target = unpack(frames[0], _target_decoder)
        except WireError as error:
            return self._complain(f"the robot was sent no target: {error}")
        if self._clock.now_ns() - target.stamp_ns > SILENCE_NS:
            return      # said before somebody was stopped for a while; the next one is fresh
        if target.stamp_ns < self._fresh_since_ns:
            return      # said before the scene was set up anew
        position = np.array(target.position)
        if refusal := self._refusal(position):
            return self._complain(refusal)
        position = np.clip(position, self._lower, self._upper)
        self._heard_ns, self._commanded = self._clock.now_ns(), position
        self._following, self._braking_since_ns, self.held = True, None, False
        self._driver.send(position)

    def _refusal(self, position: np.ndarray) -> str:
        if position.shape != self._lower.shape or not np.isfinite(position).all():
            return (f"a target must be {len(self._lower)} finite numbers, not "
                    f"{position.tolist()}: the arm keeps its last target; re-arm")
        if ((position < self._lower - MARGIN) | (position > self._upper + MARGIN)).any():
            return (f"target {position.round(3).tolist()} is outside the joints' limits: the arm "
                    f"keeps its last target; re-arm")
        if not self._following:
            if self._arm is None:
                return "the arm has not said where it is yet: wait, or check its cable"
            away = np.abs(position - self._arm["position"])[:-1]    # a gripper holds what it holds
            if (away > self._reach[:-1]).any():
                return ("the station was silent for 100 ms or has just begun, and wants to go on "
                        f"{away.max():.2f} rad from where the arm stands: it does not jump; re-arm")
        return ""

    def _answer(self) -> None:
        for request, answer in self._requests.poll():
            if isinstance(request, Describe):
                answer(RobotReply(True, self._clock.now_ns(), info=self._driver.info,
                                  resettable=isinstance(self._driver, Resettable),
                                  rewindable=isinstance(self._driver, Rewindable)))
            elif isinstance(request, Reset):
                answer(self._reset(request))
            elif isinstance(request, GoBack):
                answer(self._go_back(request))
            else:
                answer(self._reword(request))

    def _reset(self, request: Reset) -> RobotReply:
        if not isinstance(self._driver, Resettable):
            return RobotReply(False, reason=f"{self._driver.info.name} is no simulator: set its "
                              "scene up by hand")
        try:
            instruction = self._driver.reset(request.task, request.seed)
        except DeviceError as error:
            return RobotReply(False, reason=str(error))
        self._fresh_since_ns = self._heard_ns = self._clock.now_ns()
        self._arm = self._commanded = self._braking_since_ns = None
        self._following = self.held = False
        return RobotReply(True, self._fresh_since_ns, value=instruction)

    def _reword(self, request: Reword) -> RobotReply:
        if not isinstance(self._driver, Resettable):
            return RobotReply(False, reason=f"{self._driver.info.name} judges nothing")
        try:
            self._driver.set_instruction(request.text)
        except DeviceError as error:
            return RobotReply(False, reason=str(error))
        return RobotReply(True, self._clock.now_ns())

    def _go_back(self, request: GoBack) -> RobotReply:
        if not isinstance(self._driver, Rewindable):
            return RobotReply(False, reason=f"{self._driver.info.name} cannot be taken back")
        try:
            moment_ns = self._driver.rewind(request.stamp_ns)
        except DeviceError as error:
            return RobotReply(False, reason=str(error))
        # Targets on their way are of before; until the next one the world holds what it aimed for.
        self._fresh_since_ns = self._heard_ns = self._clock.now_ns()
        self._arm = self._commanded = self._braking_since_ns = None
        return RobotReply(True, self._fresh_since_ns, moment_ns=moment_ns)

    # ---- when it says nothing -------------------------------------------------------------------

    @property
    def _moving(self) -> bool:
        """As far as is known: an arm that says nothing is left where it was told to be, because a
        target beside where it once was would send it there."""
        if self._arm is None or self._clock.now_ns() - self._arm["t_mono_ns"] > SILENCE_NS:
            return False
        return bool(np.max(np.abs(self._arm["velocity"][:-1])) > STILL_RAD_S)

    def _hold_if_moving(self) -> None:
        """Send a moving arm to where it stands after braking at its full deceleration.

        The gripper keeps its last target: an arm that stops must not drop what it carries.
        """
        now_ns = self._clock.now_ns()
        if self._braking_since_ns is not None:
            if not self._moving:
                self._braking_since_ns = None
            elif now_ns - self._braking_since_ns > BRAKE_NS:
                self._braking_since_ns = None
                self._driver.hold()     # it does not do as told: leave it to the device
        elif self._moving and not self.held and self._arm is not None:
            velocity = np.clip(self._arm["velocity"], -self._speed, self._speed)
            stop = self._arm["position"] + velocity * np.abs(velocity) / (2 * self._deceleration)
            if self._commanded is not None:
                stop[-1] = self._commanded[-1]
            self._commanded = stop = np.clip(stop, self._lower, self._upper)
            self._braking_since_ns, self.held = now_ns, True
            self._driver.send(stop)

    # ---- what the robot says --------------------------------------------------------------------

    def _complain(self, sentence: str) -> None:
        self._complaint, self._complaint_ns = sentence, self._clock.now_ns()

    def _forward(self, batches: list[Batch]) -> None:
        for batch in batches:
            if batch.stream == "arm" and len(batch.rows):
                self._arm = batch.rows[-1]
        now_ns = self._clock.now_ns()
        if not batches and now_ns < self._next_report_ns:
            return
        self._next_report_ns = now_ns + SILENCE_NS // 2
        recent = self._complaint and now_ns - self._complaint_ns < COMPLAINT_NS
        report = HostReport(now_ns, self._driver.fault or (self._complaint if recent else ""),
                            self.held, self._robot.overflowed)
        self._robot.send([pack(report), *encode_batches(batches)])


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: serve until told to end, then stand still and let go.

    Raises:
        DeviceError: the robot cannot be opened; says what to do.
    """
    told = msgspec.json.decode(config, type=RobotHostConfig)
    clock, period_ns = life.clock, round(NS_PER_S / told.poll_hz)
    driver = cast(RobotDriver, resolve(told.driver)(clock=clock, **told.options))
    with open_context() as context:
        driver.connect()
        try:
            host = RobotHost(driver, context, told.links, clock)
            life.ready(raise_priority())
            next_ns = clock.now_ns()
            while not life.stopping:
                host.step()
                life.beat()
                next_ns = max(next_ns + period_ns, clock.now_ns())
                host.wait(-(-(next_ns - clock.now_ns()) // 1_000_000))
            deadline_ns = clock.now_ns() + 2 * BRAKE_NS
            while not host.brake() and clock.now_ns() < deadline_ns:
                clock.wait_until(clock.now_ns() + period_ns)
            host.close()
        finally:
            driver.disconnect()
