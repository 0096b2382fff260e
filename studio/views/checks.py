"""What must be right before the arm is armed, each with what to do about it.

The station decides by itself whether it arms; this list tells the operator beforehand. Knows
snapshots and the desk's state; refuses to arm anything.
"""

import msgspec

from studio.devices.interfaces import DeviceStatus
from studio.station.desk.link import DeskState
from studio.station.messages import Mode, Snapshot
from studio.views.health_bar import FAULT, stream_text
from studio.views.words import sentence


class Check(msgspec.Struct, frozen=True):
    """One line of the list.

    Attributes:
        name: what is looked at.
        passed: whether it is well.
        remedy: what to do if it is not.
        must: whether the arm is not to be armed without it; else it is advice.
    """

    name: str
    passed: bool
    remedy: str = ""
    must: bool = True


def checks_of(snapshot: Snapshot | None, state: DeskState | None, silent: bool
              ) -> tuple[Check, ...]:
    """The list, in the order in which an operator would go through it."""
    heard = snapshot is not None and not silent
    problem = state.problem if state is not None else ""
    station = Check("The station answers", heard,
                    sentence(problem) or "Wait until it has started, or restart the desk")
    if snapshot is None or not heard:
        return (station,)
    return (station, _not_stopped(snapshot), _arm_known(snapshot), _cameras(snapshot),
            _device(snapshot), _recorder(snapshot), _disk(snapshot))


def failed(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Those that keep the arm from being armed."""
    return tuple(check for check in checks if check.must and not check.passed)


def _not_stopped(snapshot: Snapshot) -> Check:
    remedy = ("Press Re-arm when it is safe" if snapshot.mode is Mode.STOP
              else f"{sentence(snapshot.reason)}: mend it, then press Re-arm")
    return Check("No stop and no fault", snapshot.mode not in (Mode.STOP, Mode.FAULT), remedy)


def _arm_known(snapshot: Snapshot) -> Check:
    return Check("The arm says where it is", bool(snapshot.position),
                 "Wait, or check its cable and power")


def _cameras(snapshot: Snapshot) -> Check:
    silent = [stream.name for stream in snapshot.streams if stream_text(stream)[1] == FAULT]
    return Check("All streams are live", not silent,
                 f"Nothing comes from {', '.join(silent)}: replug it, or choose others in Devices")


def _device(snapshot: Snapshot) -> Check:
    well = snapshot.human_status == DeviceStatus.OK
    return Check("Your device is there", well,
                 "Plug it in, or click into this window if it is the keyboard", must=False)


def _recorder(snapshot: Snapshot) -> Check:
    recorder = snapshot.recorder
    return Check("The recorder is ready", recorder.alive and not recorder.error,
                 sentence(recorder.error) or "Nothing is kept without one: practice still works",
                 must=False)


def _disk(snapshot: Snapshot) -> Check:
    recorder = snapshot.recorder
    room = not recorder.alive or recorder.disk_free_bytes > 500_000_000
    return Check("There is room on the disk", room, "Make room, or open a store elsewhere",
                 must=False)
