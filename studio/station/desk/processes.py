"""Which processes a desk has, how each is started, and in what order they end.

The configurations are written as the plain values that JSON makes of them: importing the processes'
own modules (a simulator, a viewer) would take seconds before anything is on the screen. A test
holds them to their types. Knows names and options; refuses to know how a process is doing.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from studio.station.processes.endpoints import Endpoints
from studio.station.processes.supervisor import WorkerSpec
from studio.station.recording.made_with import made_with

if TYPE_CHECKING:
    from studio.station.training.training_plan import Plan

ROBOT, STATION, RECORDER, RRD, RERUN = "robot", "station", "recorder", "rrd", "rerun"
CONSOLE, WEB, POLICY, TRAINER, GATE = "console", "web", "policy", "trainer", "gate"
# Whoever opens the live view is sent all that is kept before what happens now; a browser that draws
# without a GPU takes a second for 5 MB. This is half a minute of two small cameras with depth.
LIVE_MEMORY = "48MB"
# Who draws goes first, who drives stops before who holds, and the last episode is written last.
END_ORDER = (CONSOLE, WEB, GATE, TRAINER, RERUN, STATION, POLICY, ROBOT, RECORDER, RRD)
LAST_S = 15.0               # to write what still waits, and the last episodes' Rerun files
THREADS = 1                 # of a policy's network: the arm and the recorder need the other cores
_OPEN_ROBOT = "studio.station.robots:open_robot"


class DeskConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a desk is asked to be.

    Attributes:
        robot, robot_options, teleop, teleop_options: as in `UseDevices`.
        task: whose scene is set up at the start; empty sets up none.
        store: folder of the store; empty keeps nothing.
        rate_hz: of the control loop.
        live: serve a live view in Rerun, and leave a Rerun file of each episode.
        console, web: which consoles the desk opens itself.
        stays: whether it goes on when the last console was closed.
        web_options: further fields of the web console's configuration, such as its port.
        policy: folder of a run or of one of its checkpoints, which may drive; empty: none.
        policy_options: further fields of `PolicyConfig`.
    """

    robot: str = "sim"
    robot_options: dict[str, Any] = {}
    teleop: str = "keyboard"
    teleop_options: dict[str, Any] = {}
    task: str = ""
    store: str = ""
    rate_hz: float = 100.0
    live: bool = True
    console: bool = False
    web: bool = False
    stays: bool = False
    web_options: dict[str, Any] = {}
    policy: str = ""
    policy_options: dict[str, Any] = {}


def robot_worker(desk: DeskConfig, links: Endpoints) -> WorkerSpec:
    """Holds the arm."""
    return WorkerSpec(name=ROBOT, role="robot", config={
        "links": links, "driver": _OPEN_ROBOT,
        "options": {"name": desk.robot} | desk.robot_options})


def station_worker(desk: DeskConfig, links: Endpoints) -> WorkerSpec:
    """Drives it for whoever asks; a policy may join."""
    return WorkerSpec(name=STATION, role="station", config={
        "links": links, "robot": desk.robot, "teleop": desk.teleop,
        "teleop_options": desk.teleop_options, "plan": None, "recorded": bool(desk.store),
        "rate_hz": desk.rate_hz, "watched": True, "policy": True, "policy_joined": False,
        "software": made_with()})


def policy_worker(desk: DeskConfig, links: Endpoints) -> WorkerSpec:
    """Drives when a person lets it."""
    return WorkerSpec(
        name=POLICY, role="policy", restart=True, patience_s=10.0,
        environment={"OMP_NUM_THREADS": str(THREADS)},      # torch takes it from there
        config={"policy": desk.policy, "address": links.policy_request, "links": links,
                "rate_hz": desk.rate_hz} | desk.policy_options)


def trainer_worker(plan: "Plan", links: Endpoints, *, resume: bool) -> WorkerSpec:
    """Trains on from what drives, while it drives; what ends it is told, and not begun again."""
    return WorkerSpec(name=TRAINER, role="trainer", patience_s=LAST_S, config={
        "links": links, "resume": resume, "run": plan.run, "parent": plan.parent,
        "stores": plan.stores, "method": plan.method, "minutes": plan.minutes,
        "publish_every_s": plan.publish_every_s, "memory_mb": plan.memory_mb,
        "count_from": plan.count_from})


def gate_worker(version: str, driving: str, stores: tuple[str, ...],
                trials: dict[str, Any] | None) -> WorkerSpec:
    """Measures a version beside the one that drives."""
    return WorkerSpec(name=GATE, role="gate", config={
        "version": version, "driving": driving, "stores": stores, "trials": trials})


def recorder_worker(desk: DeskConfig, links: Endpoints) -> WorkerSpec:
    """Writes the store."""
    return WorkerSpec(name=RECORDER, role="recorder", restart=True, patience_s=LAST_S, config={
        "store": desk.store, "links": links, "create": False})


def rrd_worker(desk: DeskConfig) -> WorkerSpec:
    """Leaves a Rerun file of every episode."""
    return WorkerSpec(name=RRD, role="rrd", restart=True, patience_s=LAST_S, config={
        "store": desk.store})


def rerun_worker(desk: DeskConfig, links: Endpoints) -> WorkerSpec:
    """Serves the live view."""
    return WorkerSpec(name=RERUN, role="rerun", restart=True, config={
        "links": links, "rate_hz": desk.rate_hz, "memory_limit": LIVE_MEMORY,
        "policy": True})


def console_worker(links: Endpoints, name: str = CONSOLE) -> WorkerSpec:
    """A window on the desk."""
    return WorkerSpec(name=name, role="console", restart=True, config={
        "links": links, "name": name})


def web_worker(desk: DeskConfig, links: Endpoints) -> WorkerSpec:
    """The web console; says its address when it is ready."""
    return WorkerSpec(name=WEB, role="web", restart=True, config={
        "links": links, "name": WEB, "store": desk.store} | desk.web_options)
