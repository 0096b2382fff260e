"""Any LeRobot teleoperator that reports joint positions, a leader arm above all, by type name.

A leader arm has no clutch: it is enabled while its pose changes. A thread here owns the process
in which LeRobot runs, restarts it when it dies, and keeps the newest reading; a dead servo or an
unplugged bus is LOST and looked for again. Refuses to know LeRobot itself (`leader_process`) and
what its numbers mean (`leader_mapping`).
"""

import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from recorders.clock import Clock
from studio.devices.input_device import PolledDevice
from studio.devices.interfaces import DeviceError, DeviceStatus, HumanInput, idle_input
from studio.devices.leader_mapping import (
    LeaderConfig,
    MotionState,
    joint_order,
    joints_of,
    motion_held,
    next_motion,
)
from studio.devices.leader_process import LeaderReport, LeaderRequest
from studio.devices.mapping import RAW_WIDTH, bounded_axes
from studio.devices.reader import RETRY_S

_NS_PER_MS = 1_000_000
OPEN_TRIES = 3              # LeRobot gives up opening when one packet is lost
_LISTEN_S = 0.05
_OPEN_TIMEOUT_S = 60.0      # importing LeRobot alone takes 5 s, far more on a busy machine
_END_TIMEOUT_S = 4.0        # less than DeviceReader waits for its thread
_COMMAND = (sys.executable, "-m", "studio.devices.leader_process")


class _Reading(msgspec.Struct, frozen=True):
    """The newest reading of the leader."""

    stamp_ns: int
    joints: np.ndarray      # (D,)
    motion: MotionState


class LerobotLeader(PolledDevice):
    """A LeRobot teleoperator, hosted in a process of its own."""

    def __init__(
        self,
        clock: Clock,
        config: LeaderConfig,
        *,
        background: bool = True,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        """Prepare, without starting anything.

        Args:
            clock: stamps what arrives.
            config: which leader, and its units.
            background: listen in a thread; without it the owner calls `poll` itself.
            command: starts the process that hosts the leader.
        """
        self.name = f"leader:{config.teleop_type}"
        super().__init__(clock, background=background)
        self._command = command
        self._config = config
        self._settled = False       # the process has said whether it could open the device
        self._tries = 0             # of opening it that failed
        self._refused = False       # it never will
        self._order = config.joints
        self._reading: _Reading | None = None       # replaced whole, so readers need no lock
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: Any = None
        self._partial = b""

    @property
    def action_features(self) -> dict[str, Any]:
        """Joint positions (known once connected, unless configured) and whether it is driven."""
        return {**{name: float for name in self._order}, "enabled": float}

    def _open(self) -> None:
        """Start the process and wait until it has opened the leader.

        Raises:
            DeviceError: naming valid types, wrong fields, or what the bus said.
        """
        self._settled, self._refused, self._tries = False, False, 0
        self._open_by_polling(
            f"{self.name}: LeRobot has not answered within {_OPEN_TIMEOUT_S:.0f} s; see "
            "whether `python -c 'import lerobot.teleoperators'` ends",
            round_s=_LISTEN_S, most_rounds=round(_OPEN_TIMEOUT_S / _LISTEN_S),
            settled=lambda: self._settled)

    def _stamp_ns(self) -> int:
        reading = self._reading
        return reading.stamp_ns if reading else self._clock.now_ns()

    def _newest(self) -> HumanInput:
        reading, now_ns = self._reading, self._clock.now_ns()
        if reading is None:
            return idle_input(now_ns, DeviceStatus.LOST)
        if now_ns - reading.stamp_ns > self._config.silence_ms * _NS_PER_MS:
            return idle_input(reading.stamp_ns, DeviceStatus.STALE)
        raw = bounded_axes(reading.joints[:RAW_WIDTH] / np.pi)
        return HumanInput(
            reading.stamp_ns, DeviceStatus.OK, raw, 0,
            motion_held(reading.motion, self._config, now_ns), np.zeros(6),
            joints=reading.joints.copy(),
        )

    def get_action(self) -> dict[str, Any]:
        """The newest reading as LeRobot's flat dictionary, in rad and 0..1."""
        given = self.read()
        joints = np.zeros(len(self._order)) if given.joints is None else given.joints
        return {**{name: float(value) for name, value in zip(self._order, joints, strict=True)},
                "enabled": float(given.enabled)}

    def poll(self) -> float:
        """One round of the thread: take what the process has said, or start it again.

        Returns:
            The pause in s until the next round; the round itself waits for news.
        """
        if self._process is None:
            self._process = self._start()
        stdout = self._process.stdout
        assert stdout is not None
        ready, _, _ = select.select([stdout], [], [], _LISTEN_S)
        if not ready:
            return 0.0
        heard = os.read(stdout.fileno(), 1 << 16)
        if not heard:
            if not self._refused:
                self._lose(f"{self.name}: its process ended: {self._last_words()}")
            self._release()
            self._settled = True
            return RETRY_S
        *lines, self._partial = (self._partial + heard).split(b"\n")
        for line in lines:
            self._take(msgspec.json.decode(line, type=LeaderReport))
            if self._refused:
                self._release()
                return RETRY_S
        return 0.0

    def _take(self, report: LeaderReport) -> None:
        stamp_ns = self._clock.now_ns()
        if report.features:
            try:
                self._order = joint_order(report.features, self._config, report.percent)
            except DeviceError as error:
                self._refuse(str(error))
        elif report.action:
            joints = joints_of(report.action, self._order, self._config)
            before = self._reading
            motion = (MotionState(joints) if before is None or self._lost
                      else next_motion(before.motion, joints, self._config, stamp_ns))
            self._reading = _Reading(stamp_ns, joints, motion)
            self._found()
            self._settled = True
        elif report.refused:
            self._refuse(report.refused)
        else:
            self._lose(f"{self.name} does not answer ({report.lost}): check its cable, its power "
                       "and its port")
            self._tries += 1
            self._settled = self._settled or self._tries >= OPEN_TRIES

    def _refuse(self, reason: str) -> None:
        """What was asked for can never be had."""
        self._lose(reason)
        self._settled = self._refused = True

    def _start(self) -> subprocess.Popen[bytes]:
        self._partial = b""
        self._stderr = tempfile.TemporaryFile()     # noqa: SIM115 - lives as long as the process
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr)
        request = LeaderRequest(self._config.teleop_type, self._config.fields, self._config.rate_hz)
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(request) + b"\n")
        process.stdin.flush()       # and stays open: its end is the process's end
        return process

    def _last_words(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def _release(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()      # its driver hangs; it holds nothing that outlives it
            process.wait()
        process.stdout.close()
        self._stderr.close()
