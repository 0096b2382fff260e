"""What all devices under a person's hand do alike: they are opened, lost, found again and closed.

Knows the life of a device, and that one which is off or lost asks for nothing. Refuses to know any
driver, and what a device says while all is well. The contract is `interfaces.Teleoperator`; this is
the half of it that nobody has to write twice, and a device may do without.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from recorders.clock import Clock
from studio.devices.interfaces import DeviceError, DeviceStatus, HumanInput, idle_input
from studio.devices.mapping import TWIST_ACTION, twist_action
from studio.devices.reader import DeviceReader


class InputDevice(ABC):
    """A teleoperator that is told what happens, as a keyboard is by its console.

    A device gives `name`, `_open`, `_close`, `_stamp_ns` and `_newest`; it calls `_lose` when it
    is gone and `_found` when it is back.

    Attributes:
        name: as the operator knows it.
        fault: empty, or one sentence that says what is wrong and what to do.
        last_report: what it said last, as it said it, so that a person sees that it works: raw
            bytes in hex, or the names of held keys; empty where that is not to be had.
    """

    name: str
    last_report = ""

    def __init__(self, clock: Clock) -> None:
        self.fault = ""
        self._clock = clock
        self._connected = False
        self._lost = False

    @property
    def action_features(self) -> dict[str, Any]:
        """Twist, gripper and clutch, unless the device says otherwise."""
        return dict(TWIST_ACTION)

    @property
    def feedback_features(self) -> dict[str, Any]:
        """None, unless the device can show something."""
        return {}

    @property
    def is_connected(self) -> bool:
        """Whether the device is open or being looked for."""
        return self._connected

    def connect(self) -> None:
        """Open the device, unless it is open.

        Raises:
            DeviceError: if it is not found or does not open, with the remedy.
        """
        if not self._connected:
            self._open()
            self._connected = True

    def disconnect(self) -> None:
        """Close the device, unless it is closed."""
        if self._connected:
            self._connected = False
            self._close()

    def read(self) -> HumanInput:
        """The newest input; a device that is OFF, LOST or STALE asks for nothing."""
        if not self._connected:
            return idle_input(self._stamp_ns(), DeviceStatus.OFF)
        if self._lost:
            return idle_input(self._stamp_ns(), DeviceStatus.LOST)
        return self._newest()

    def get_action(self) -> dict[str, Any]:
        """The newest input as LeRobot's flat dictionary."""
        return twist_action(self.read(), self._gripper_wanted())

    def send_feedback(self, feedback: dict[str, Any]) -> None:  # noqa: B027 - most show nothing
        """Every key is for another device, unless this one can show something."""

    @abstractmethod
    def _open(self) -> None:
        """Open the device; raises DeviceError with the remedy."""

    @abstractmethod
    def _close(self) -> None:
        """Close the device."""

    @abstractmethod
    def _stamp_ns(self) -> int:
        """When the device was heard last; now, if never."""

    @abstractmethod
    def _newest(self) -> HumanInput:
        """What is asked for while the device is open and not lost."""

    def _gripper_wanted(self) -> float:
        """The last opening asked for; 1 (open) before any."""
        return 1.0

    def _lose(self, reason: str) -> None:
        """Ask for nothing from now on; `reason` says what to do."""
        self._lost = True
        self.fault = reason

    def _found(self) -> None:
        """All is well again."""
        self._lost = False
        self.fault = ""


class PolledDevice(InputDevice):
    """An input device whose driver must be asked, round after round, and may be unplugged.

    The rounds run in a thread of the device's own; without it the owner calls `poll` itself. A
    device gives `poll` and `_release` in addition; what `poll` lets through is shown as its fault.
    """

    def __init__(self, clock: Clock, *, background: bool) -> None:
        super().__init__(clock)
        self._reader = (DeviceReader(self.name, self.poll, self._lose, self._release)
                        if background else None)

    @abstractmethod
    def poll(self) -> float:
        """One round: take what is newest, or look for a lost device.

        Returns:
            The pause in s until the next round.
        """

    @abstractmethod
    def _release(self) -> None:
        """Let go of the driver; called where `poll` is called, and again without harm."""

    def _close(self) -> None:
        if self._reader:
            self._reader.stop()     # its thread releases the driver as the last thing it does
        else:
            self._release()

    def _open_by_polling(
        self,
        unanswered: str,
        *,
        round_s: float,
        most_rounds: int = 1,
        settled: Callable[[], bool] = lambda: True,
    ) -> None:
        """Let the first rounds find the device, for drivers that live in the thread of `poll`.

        Args:
            unanswered: what is wrong, and what to do, if these rounds neither find nor refuse it.
            round_s: how long a round in the thread is waited for.
            most_rounds: so many are waited for, one after the other.
            settled: whether the rounds so far have decided it.

        Raises:
            DeviceError: if the device is not found, with the reason that the rounds left.
        """
        self._lose(unanswered)
        if self._reader:
            self._reader.start()
        for count in range(1, most_rounds + 1):
            if self._reader:
                self._reader.wait_for_rounds(count, round_s)
            else:
                self.poll()
            if settled():
                break
        if self._lost:
            self._close()
            raise DeviceError(self.fault)
