"""`tandem`, `tandem web`, `tandem console`, `tandem desk`: the desk and the windows on it.

Knows options, words and whether a window can be opened here. The desk itself, its processes and
what they are asked are the station's; what is drawn is the consoles'.
"""

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.commands.device_fields import DeviceOptions
from studio.commands.output import Answer, Screen, UsersMistakeError
from studio.commands.session_report import make_store, require_session
from studio.station.robots import NOBODY, require_operator

if TYPE_CHECKING:
    from studio.station.desk.desk import Desk
    from studio.station.desk.link import DeskState

_ANY_DEVICE = "keyboard"    # fits every robot
_NO_DESK = "no desk runs: `tandem` opens one with a window, `tandem web` one with a web console"


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """Where a desk records."""

    store: Path = Path("datasets/mydata")
    """Folder of the store; it is made if it does not exist."""
    practice: bool = False
    """Open no store: drive, and keep nothing."""


@dataclass(frozen=True, kw_only=True)
class DeskOptions(DeviceOptions, Keeping):
    """What every command that may start a desk is told."""

    teleop: str = "keyboard"
    """Who drives: keyboard, spacemouse, gamepad, leader:<LeRobot type>, none, or scripted (expert
    for gym:…)."""
    task: str = ""
    """Whose scene is set up first; `tandem tasks` lists the tasks. Empty is the robot's first."""
    policy: str = ""
    """Folder of a training run, or of one of its checkpoints, that may drive; another one is chosen
    at the console."""
    headless: bool = False
    """Serve no live view in Rerun, and leave no .rrd files."""
    json: bool = False
    """Print one JSON object as soon as the desk is ready."""

    def serve(self, screen: Screen, *, console: bool = False, web: bool = False,
              stays: bool = False, web_options: dict[str, Any] | None = None) -> Answer:
        """Run a desk until it ends, with the consoles that are wanted.

        Raises:
            UsersMistakeError, DeviceError: an option is none.
            DeskRunsAlready: there is another one.
            StoreError: the store cannot be written.
        """
        teleop = self.teleoperator
        require_operator(teleop)
        options = self.robot_options()
        task = require_session(robot=self.robot, task=self.task, fast=False, episodes=1,
                               teleop=_ANY_DEVICE if teleop == NOBODY else teleop,
                               robot_options=options)
        from recorders.clock import SystemClock
        from studio.station.desk.address import announce
        from studio.station.desk.desk import Desk
        from studio.station.desk.processes import DeskConfig
        from studio.station.processes.endpoints import folder_of, open_context, private_endpoints

        config = DeskConfig(
            robot=self.robot, robot_options=options, teleop=teleop,
            teleop_options=self.teleop_options(), task=task,
            live=not self.headless,
            store="" if self.practice else str(self.store.expanduser().absolute()),
            console=console, web=web, stays=stays, web_options=web_options or {},
            policy=str(Path(self.policy).expanduser().absolute()) if self.policy else "")
        with private_endpoints() as links, announce(links), open_context() as context:
            if config.store:
                make_store(screen, Path(config.store))
            desk = Desk(config, links, context, SystemClock(), screen.say)
            try:
                _turn(screen, desk, folder_of(links.desk))
            finally:
                desk.close()
        if desk.problem:
            screen.say(desk.problem)
        return Answer({"store": config.store, "problem": desk.problem}, ok=not desk.problem)


@dataclass(frozen=True, kw_only=True)
class Open(DeskOptions):
    """Open the desk: the arm, the recorder, and a window to drive, watch and record with.

    Where no window can be opened the web console is served instead. The desk ends when its last
    console is closed, unless an episode is open or the arm is armed.
    """

    def run(self, screen: Screen) -> Answer:
        """Run the desk until it ends."""
        from studio.console.probe import display_problem
        from studio.station.desk.address import refuse_second

        refuse_second()
        if problem := display_problem():
            screen.say(f"{problem.partition(': ')[0]}: the web console is served instead")
        return self.serve(screen, console=not problem, web=bool(problem))


@dataclass(frozen=True, kw_only=True)
class OpenWebDesk(DeskOptions):
    """Serve the web console, of the desk that runs already or of a new one."""

    port: int = 7860
    """Where it is served; another free port is taken if it is in use."""
    host: str = "127.0.0.1"
    """The address to listen on; any other than this machine's own needs a password."""
    password_file: str = ""
    """A file whose first line is the password that is asked of everybody who opens the page. Empty
    takes it from the environment variable TANDEM_PASSWORD, or asks for it here if the address needs
    one."""
    password: str = ""
    """The password itself. Everybody on this machine can read it (`ps`): use --password-file or
    TANDEM_PASSWORD."""

    def run(self, screen: Screen) -> Answer:
        """Print the address; run the desk until it ends, if this command started it."""
        from studio.web.access import unsafe

        if links := _running_desk():
            if any(getattr(self, name) != getattr(OpenWebDesk, name)
                   for name in ("port", "host", "password", "password_file")):
                raise UsersMistakeError(
                    "a desk runs already and serves its web console on this machine only: end it "
                    "first, or leave out --port, --host and the password")
            return _ask_for_web(screen, links)
        password = self._said_password(screen)
        if not password and unsafe(self.host, ""):
            password = ask_password(f"Password for everybody who comes to {self.host}: ")
        if refusal := unsafe(self.host, password):
            raise UsersMistakeError(refusal)
        return self.serve(screen, web=True, web_options={
            "port": self.port, "host": self.host, "password": password})

    def _said_password(self, screen: Screen) -> str:
        if self.password and self.password_file:
            raise UsersMistakeError("give --password-file or --password, not both")
        if self.password:
            screen.say("everybody on this machine can read --password (`ps`): use --password-file "
                       "or TANDEM_PASSWORD")
            return self.password
        if self.password_file:
            return password_in(Path(self.password_file))
        return os.environ.get("TANDEM_PASSWORD", "")


@dataclass(frozen=True, kw_only=True)
class OpenConsole:
    """Open another window on the desk that runs already."""

    json: bool = False
    """Print one JSON object at the end."""

    def run(self, screen: Screen) -> Answer:
        """Show it until it is closed."""
        from studio.console.probe import display_problem

        if problem := display_problem():
            raise UsersMistakeError(problem)
        if (links := _running_desk()) is None:
            raise UsersMistakeError(_NO_DESK)
        from recorders.clock import NS_PER_S, SystemClock
        from studio.station.desk.processes import console_worker
        from studio.station.processes.supervisor import DONE, Supervisor

        clock, name = SystemClock(), f"console-{os.getpid()}"
        with Supervisor(clock, screen.say) as supervisor:
            supervisor.start(console_worker(links, name))
            while name not in supervisor.ended:
                clock.wait_until(clock.now_ns() + NS_PER_S // 20)
                supervisor.poll()
            reason = supervisor.ended[name]
        problem = "" if reason == DONE else f"the window has ended: {reason}"
        return Answer({"problem": problem}, ok=not problem)


@dataclass(frozen=True, kw_only=True)
class ServeDesk(DeskOptions):
    """Run a desk without any console, until Ctrl-C; `tandem console` and `tandem web` join it."""

    def run(self, screen: Screen) -> Answer:
        """Run the desk until it is told to end."""
        return self.serve(screen, stays=True)


def password_in(file: Path) -> str:
    """The first line of a file.

    Raises:
        UsersMistakeError: it cannot be read, or its first line is empty.
    """
    try:
        password = file.expanduser().read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsersMistakeError(f"the password cannot be read from {file}: {error}") from error
    if not password:
        raise UsersMistakeError(f"the first line of {file} is empty: write the password there")
    return password


def ask_password(question: str) -> str:
    """Ask the person at the terminal, who does not see what is typed; empty without a terminal."""
    if not sys.stdin.isatty():
        return ""
    try:
        return getpass.getpass(question)
    except (EOFError, KeyboardInterrupt):
        return ""


def _running_desk() -> Any:
    from studio.station.desk.address import find_desk

    return find_desk()


def _turn(screen: Screen, desk: "Desk", folder: str) -> None:
    """Turn a desk until it ends; tell once where its web console is, and that it is ready."""
    web_url = ""
    ready = False
    while not desk.ended:
        desk.step()
        state = desk.state
        if state.web_url != web_url:
            web_url = state.web_url
            screen.say(f"web console: {web_url}")
        if not ready and _is_ready(desk, state):
            ready = True
            screen.say(f"the desk is ready: {state.robot}, driven by {state.teleop}, "
                       + (f"recording into {state.store}" if state.store else "nothing is kept"))
            screen.answer(Answer({
                "store": state.store, "web_url": state.web_url, "live_url": state.live_url,
                "links": folder}))


def _is_ready(desk: "Desk", state: "DeskState") -> bool:
    return not (state.busy or state.problem or (desk.config.web and not state.web_url)
                or (desk.config.live and not state.live_url))


def _ask_for_web(screen: Screen, links: Any) -> Answer:
    """Let the running desk serve its web console; returns when its address is known."""
    from recorders.clock import NS_PER_S, SystemClock
    from studio.station.commands import TERMINAL
    from studio.station.desk.client import DeskClient
    from studio.station.desk.link import OpenWeb
    from studio.station.processes.endpoints import open_context

    clock = SystemClock()
    deadline_ns = clock.now_ns() + 60 * NS_PER_S
    with open_context() as context:
        client = DeskClient(context, links, clock, TERMINAL)
        try:
            while clock.now_ns() < deadline_ns:
                reply = client.ask_desk(OpenWeb())
                if not reply.accepted:
                    raise UsersMistakeError(reply.reason)
                if reply.value:
                    screen.print(reply.value)
                    return Answer({"web_url": reply.value})
                client.look()
                ended = [p.reason for p in client.state.processes if p.name == "web"
                         and not p.running] if client.state else []
                if ended:
                    raise UsersMistakeError(f"the web console did not start: {ended[0]}")
                clock.wait_until(clock.now_ns() + NS_PER_S // 5)
        finally:
            client.close()
    raise UsersMistakeError("the web console did not start within 60 s: see the desk's messages")
