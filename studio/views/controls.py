"""Which buttons work now, and why the others do not.

The station has the last word on every command; this only spares the operator a refusal that can be
foreseen. Knows snapshots; refuses to send anything.
"""

import msgspec

from studio.station.desk.link import DeskState
from studio.station.messages import Mode, Snapshot
from studio.views.checks import checks_of, failed
from studio.views.recording_flow import why_not_drive
from studio.views.recording_plan import Flow
from studio.views.words import sentence


class Controls(msgspec.Struct, frozen=True, kw_only=True):
    """For every action: empty if it works now, else one sentence on why not."""

    arm: str = ""
    rearm: str = ""
    stop: str = ""
    record: str = ""
    end: str = ""
    discard: str = ""
    rerecord: str = ""
    label: str = ""
    undo: str = ""
    new_scene: str = ""
    speed: str = ""
    devices: str = ""
    let_drive: str = ""
    rewind: str = ""


_SILENT = "The station says nothing"


def controls_of(snapshot: Snapshot | None, state: DeskState | None, flow: Flow, *, silent: bool,
                practice: bool, resettable: bool) -> Controls:
    """What works now.

    Args:
        snapshot: the newest of the station.
        state: the newest of the desk.
        flow: of the recording.
        silent: the station has said nothing for a second; then only the stop works, and another
            choice of devices, which may bring it back. While the desk starts something anew, only
            the stop does.
        practice: the next episode is not kept.
        resettable: the robot's scene is set up by a command.
    """
    if state is not None and state.busy:
        return Controls(**dict.fromkeys(Controls.__struct_fields__, _desk_refuses(state))
                        | {"stop": ""})
    if snapshot is None or silent:
        return Controls(**dict.fromkeys(Controls.__struct_fields__, _SILENT)
                        | {"stop": "", "devices": _desk_refuses(state)})
    is_open, stopped = bool(snapshot.episode), snapshot.mode in (Mode.STOP, Mode.FAULT)
    first = failed(checks_of(snapshot, state, silent))
    recorder = snapshot.recorder
    no_recorder = "" if practice else (
        sentence(recorder.unable) if recorder.alive else "No recorder runs: only practice works")
    open_refusal = "An episode is open: end or discard it first" if is_open else ""
    nothing = "" if is_open or flow.last else "No episode to speak of yet"
    return Controls(
        arm=first[0].remedy if first else "",
        rearm="" if stopped else "Nothing is stopped",
        record=open_refusal or no_recorder or (
            "Hold Arm first" if snapshot.mode is Mode.IDLE and not flow.arm_next else ""),
        end="" if is_open else "No episode is open",
        discard=nothing, rerecord=nothing, label=nothing,
        undo="" if flow.undo else "Nothing to undo",
        new_scene=open_refusal or ("Re-arm first" if stopped else "") or (
            "" if resettable else "Set a real robot's scene up by hand"),
        devices=_desk_refuses(state) or open_refusal,
        let_drive=why_not_drive(snapshot) or ("" if is_open else no_recorder),
        rewind="" if snapshot.rewind_s > 0 else "Nothing was driven yet in this scene")


def _desk_refuses(state: DeskState | None) -> str:
    """Why the desk starts nothing anew now; empty if it would."""
    if state is None:
        return "The desk says nothing"
    return f"Wait: {state.busy}" if state.busy else ""
