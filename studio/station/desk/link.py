"""What is said between the desk and its consoles.

The desk owns the processes of a station (robot, recorder, station, viewer) and outlives any
console. What concerns driving and recording goes to the station itself (commands.py); what
concerns which processes there are goes to the desk. Knows the messages; refuses to know who draws.
"""

from typing import Any

import msgspec

from studio.station.training.training_link import TrainingRequest, TrainingState, VersionsState

DESK_STATE = "desk"         # topic of DeskState on the link `desk_state`


class UseDevices(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """Work with another robot, teleoperator or cameras; refused while an episode is open.

    The station's processes are started anew; the arm holds meanwhile and is not armed afterwards.
    The robot's process stays if its robot and options do, and so does the scene. What cannot be
    opened is refused in `DeskState.refused`, and what worked before is brought back.
    """

    robot: str
    """See `studio.station.robots.robot_names`."""
    robot_options: dict[str, Any] = {}
    teleop: str
    """See `studio.station.robots.operator_names`."""
    teleop_options: dict[str, Any] = {}


class OpenStore(msgspec.Struct, tag=True, frozen=True):
    """Record into another store from now on; refused while an episode is open.

    It is made if there is none; an empty path keeps nothing from now on.
    """

    path: str


class UsePolicy(msgspec.Struct, tag=True, frozen=True):
    """Let a policy serve the station, so that a person may let it drive; refused while one drives.

    It is loaded while everything else goes on; see `DeskState.policy`.
    """

    folder: str
    """Of a run or of one of its checkpoints; empty: no policy any more."""


class OpenWeb(msgspec.Struct, tag=True, frozen=True):
    """Serve the web console too; its address is in `DeskState.web_url`."""


class ConsoleHere(msgspec.Struct, tag=True, frozen=True):
    """A console is open; to be repeated every second."""

    name: str


class ConsoleLeft(msgspec.Struct, tag=True, frozen=True):
    """A console was closed by its user."""

    name: str


class EndDesk(msgspec.Struct, tag=True, frozen=True):
    """Hold the arm, close the open episode with a note that says so, and end every process."""


DeskRequest = (UseDevices | OpenStore | UsePolicy | OpenWeb | ConsoleHere | ConsoleLeft
               | EndDesk | TrainingRequest)


class DeskPolicy(msgspec.Struct, frozen=True):
    """The policy that was chosen, and whether it can drive yet."""

    folder: str = ""            # empty: none
    loading: bool = False
    problem: str = ""           # why it cannot, and what to do


class DeskProcess(msgspec.Struct, frozen=True):
    """One process of the desk, for the devices panel and the health bar."""

    name: str
    running: bool
    restarts: int = 0
    reason: str = ""            # why it ended


class DeskState(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk is made of; latest value only, some times a second.

    Attributes:
        stamp_ns: the machine's monotonic clock.
        busy: what is being started now; empty when the station works.
        problem: why the station does not work, and what to do; empty when it does.
        refused: why what was asked for last could not be opened; what worked before is back.
        robot, robot_options, teleop, teleop_options: what it works with, or would if it could.
        task: whose scene was asked for on the command line; the robot's first one if none was.
        rate_hz: of the control loop.
        store: folder of the store; empty when nothing is kept.
        policy: which one may drive, if any.
        training, versions: how the policy gets better meanwhile, and which of its versions drives.
        live_url: where Rerun viewers connect; empty without a live view.
        web_url: address of the web console; empty without one.
        consoles: who looks, by name.
        news: the newest lines that processes said, oldest first.
    """

    stamp_ns: int
    busy: str = ""
    problem: str = ""
    refused: str = ""
    robot: str = ""
    robot_options: dict[str, Any] = {}
    teleop: str = ""
    teleop_options: dict[str, Any] = {}
    task: str = ""
    rate_hz: float = 100.0
    store: str = ""
    policy: DeskPolicy = DeskPolicy()
    training: TrainingState = TrainingState()
    versions: VersionsState = VersionsState()
    live_url: str = ""
    web_url: str = ""
    processes: tuple[DeskProcess, ...] = ()
    consoles: tuple[str, ...] = ()
    news: tuple[str, ...] = ()
