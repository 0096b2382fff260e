"""A device's own thread: calls one function again and again, and can be stopped.

Knows pacing, stopping, and what to do when the function fails: say so and try again. Refuses to
know what is read. Between calls it waits on an event, so that stopping is prompt; no stamp is
taken here.
"""

import threading
from collections.abc import Callable

from studio.devices.interfaces import DeviceError

RETRY_S = 0.5   # between attempts to reopen: feels immediate, and enumerating costs little
_JOIN_S = 5.0


def _nothing() -> None:
    """Leave nothing to tidy up."""


class DeviceReader:
    """Owns the thread that talks to one device."""

    def __init__(
        self,
        name: str,
        step: Callable[[], float],
        on_fault: Callable[[str], None],
        on_end: Callable[[], None] = _nothing,
    ) -> None:
        """Prepare, without starting.

        Args:
            name: of the thread, as the operator sees it.
            step: does one round of reading and returns the pause in s until the next.
            on_fault: is told the sentence of an exception that `step` let through.
            on_end: is called last, in the thread, for drivers that must be closed where they
                were opened.
        """
        self._name = name
        self._step = step
        self._on_fault = on_fault
        self._on_end = on_end
        self._stopping = threading.Event()
        self._round_ended = threading.Condition()
        self._rounds = 0
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self.running:
            return
        self._stopping.clear()
        self._rounds = 0
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    @property
    def rounds(self) -> int:
        """How many rounds have ended since the start, well or not."""
        return self._rounds

    def wait_for_rounds(self, count: int, timeout_s: float) -> bool:
        """Wait until so many rounds have ended since the start; False if it takes too long."""
        with self._round_ended:
            return self._round_ended.wait_for(lambda: self._rounds >= count, timeout_s)

    def stop(self) -> None:
        """Stop the thread and wait for its end.

        Raises:
            DeviceError: if the device's driver does not come back within seconds.
        """
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        thread.join(_JOIN_S)
        if thread.is_alive():
            raise DeviceError(f"{self._name}: its driver does not return; unplug the device")

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stopping.wait(pause_s):
            try:
                pause_s = self._step()
            except Exception as error:  # the worker's outermost edge: shown, and tried again
                self._on_fault(f"{self._name}: {type(error).__name__}: {error}")
                pause_s = RETRY_S
            with self._round_ended:
                self._rounds += 1
                self._round_ended.notify_all()
        self._on_end()
