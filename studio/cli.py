"""The command `tandem`: the door to everything.

A table of names, each with the module that does the work; a module is imported only when its
command is called, so that `tandem --help` answers at once. One place turns a user's mistake into
one line and exit code 2. Exit codes: 0 well, 1 the finding is bad news, 2 a mistake, 130 stopped.
Knows command names and errors. Refuses to know what the commands do.
"""

import contextlib
import difflib
import errno
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.commands.output import Screen

EXIT_OK, EXIT_BAD_NEWS, EXIT_MISTAKE, EXIT_STOPPED = 0, 1, 2, 130

_ABOUT = "Tandem Studio: teach a robot arm. Record, check and replay demonstrations."


@dataclass(frozen=True)
class Entry:
    """Where a command lives: a config dataclass with `run(screen)`."""

    module: str
    config: str
    summary: str


_DATA = "studio.commands.data"
_DESK = "studio.commands.desk"
_TUNE = "studio.commands.tune"
_VERSIONS = "studio.commands.versions"
OPEN = Entry(_DESK, "Open", "open the desk: a window to drive, watch and record with")
COMMANDS: dict[str, Entry] = {
    "web": Entry(_DESK, "OpenWebDesk", "the desk with a web console, or one for a running desk"),
    "console": Entry(_DESK, "OpenConsole", "another window on a running desk"),
    "desk": Entry(_DESK, "ServeDesk", "a desk without a console, for `tandem console` to join"),
    "demo": Entry("studio.commands.demo", "Demo",
                  "record every task unattended, check, replay, leave a table and an .rrd"),
    "loop": Entry("studio.commands.loop", "Loop",
                  "the whole loop unattended: demonstrate, train, drive together, correct, repeat"),
    "record": Entry("studio.commands.record", "Record", "record demonstrations into a store"),
    "teleop": Entry("studio.commands.teleop", "Teleop", "drive the arm without recording"),
    "replay": Entry("studio.commands.replay", "Replay",
                    "play an episode's commands again and compare the outcome"),
    "eval": Entry("studio.commands.evaluate", "Evaluate",
                  "try a policy on many seeds: success, times, failures"),
    "rollout": Entry("studio.commands.rollout", "Rollout",
                     "let a policy drive, live; move a device to take over"),
    "serve": Entry("studio.commands.serve", "Serve", "run the policy's process by itself"),
    "tasks": Entry("studio.commands.tasks", "Tasks", "list the tasks and their instructions"),
    "doctor": Entry("studio.commands.doctor", "Doctor",
                    "check devices, permissions, graphics, disk and timing; say how to fix them"),
    "data ls": Entry(_DATA, "ListEpisodes", "list the episodes of a store"),
    "data show": Entry(_DATA, "ShowEpisode", "show one episode: streams, quality, events"),
    "data check": Entry("studio.commands.data_check", "CheckStore",
                        "verify every checksum of a store, and the rules of its rollouts"),
    "data recover": Entry(_DATA, "RecoverEpisodes", "keep or discard what a crash interrupted"),
    "data label": Entry(_DATA, "LabelEpisode", "say how an episode ended"),
    "data relabel": Entry(_DATA, "RelabelEpisode", "change an episode's task or instruction"),
    "data trash": Entry(_DATA, "TrashEpisodes", "put episodes away; `restore` is the undo"),
    "data restore": Entry(_DATA, "RestoreEpisodes", "take episodes out of the trash"),
    "data copy": Entry(_DATA, "CopyEpisodes", "copy episodes into another store"),
    "data rrd": Entry("studio.commands.data_rrd", "SaveViews",
                      "write episodes as .rrd files for the Rerun viewer"),
    "data export": Entry("studio.commands.data_export", "ExportEpisodes",
                         "write episodes for LeRobot, diffusion_policy or UMI"),
    "data import": Entry("studio.commands.data_import", "ImportEpisodes",
                         "write a dataset of LeRobot, UMI or robomimic into a store"),
    "calibrate latency": Entry("studio.commands.calibrate_latency", "CalibrateLatency",
                               "measure how late the cameras and the arm are"),
    "train": Entry("studio.commands.train", "Train", "train a policy from demonstrations"),
    "tune start": Entry(_TUNE, "StartTuning",
                        "learn from corrections at the running desk, while one goes on"),
    "tune status": Entry(_TUNE, "TuningStatus",
                         "how that training goes, what it published, what drives"),
    "tune stop": Entry(_TUNE, "StopTuning", "end that training; what it learned is published"),
    "versions": Entry(_VERSIONS, "Versions", "list a policy's versions and what the gate found"),
    "promote": Entry(_VERSIONS, "PromoteVersion",
                     "let a version drive at the running desk, if it passes the gate"),
    "rollback": Entry(_VERSIONS, "RollBackVersion",
                      "let the version before drive again at the running desk"),
    "alerts": Entry("studio.commands.alerts", "CalibrateAlerts",
                    "calibrate when a rollout asks for help, on rollouts that succeeded"),
    "train-peer": Entry("studio.commands.train_peer", "TrainPeer",
                        "train ACT, Diffusion Policy or plain cloning to compare with"),
    "export-policy": Entry("studio.commands.export_policy", "ExportPolicy",
                           "write a run as a policy that LeRobot's commands load"),
    "version": Entry("studio.commands.version", "Version", "print the versions that matter"),
}
_GROUPS = {name.split()[0] for name in COMMANDS if " " in name}
_BESIDE = {"tune": ("versions", "promote", "rollback")}     # what one needs with a group


def main(argv: Sequence[str] | None = None) -> int:
    """Run `tandem` and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--version"]:
        words[0] = "version"
    asks_for_help = words[:1] in (["-h"], ["--help"], ["help"])
    of_a_group = words[:1] if words[1:] in ([], ["-h"], ["--help"]) else []
    if asks_for_help or _GROUPS.intersection(of_a_group):
        _write_out(overview("" if asks_for_help else words[0]))
        return EXIT_OK
    if not words or words[0].startswith("-"):
        return run(OPEN, "tandem", words)
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS), "")
    if not name:
        return _report(words, unknown_command(words))
    return run(COMMANDS[name], f"tandem {name}", words[len(name.split()):])


def overview(group: str) -> str:
    """The text of `tandem --help`, or of a group's: `tandem data --help`."""
    listed = {name: entry for name, entry in COMMANDS.items()
              if name.startswith(f"{group} " if group else "") or name in _BESIDE.get(group, ())}
    width = max(len(name) for name in listed) + 3
    lines = [f"  {name:<{width}}{entry.summary}" for name, entry in listed.items()]
    alone = [] if group else [
        "`tandem` alone opens the desk: a window to drive, watch and record with; without a",
        "display the web console. `tandem desk --help` explains its options.", ""]
    return "\n".join([_ABOUT, "", "usage: tandem [COMMAND] [OPTIONS]", "", *alone, *lines, "",
                      "`tandem COMMAND --help` explains a command's options.",
                      "Every command takes --json: one JSON object on stdout."])


def unknown_command(words: Sequence[str]) -> str:
    """One line that names the valid commands, the nearest first."""
    said = " ".join(words[:2] if words[0] in _GROUPS else words[:1])
    near = difflib.get_close_matches(said, COMMANDS, n=1)
    hint = f"did you mean `tandem {near[0]}`? " if near else ""
    return f"there is no command {said!r}; {hint}The commands are: {', '.join(COMMANDS)}"


def run(entry: Entry, prog: str, words: Sequence[str]) -> int:
    """Parse a command's options, run it, and turn what happens into words and an exit code."""
    from studio.commands.output import Screen

    screen = Screen(json="--json" in words)
    with _sigterm_as_ctrl_c():
        try:
            command = _parse(entry, prog, words, screen)
            if isinstance(command, int):
                return command
            with _libraries_on_stderr():
                answer = command.run(screen)
            screen.answer(answer)
            return EXIT_OK if answer.ok else EXIT_BAD_NEWS
        except KeyboardInterrupt:
            screen.error("stopped")
            return EXIT_STOPPED
        except BrokenPipeError:
            # `tandem data ls … | head` closed our stdout: nobody is left to tell, also at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return EXIT_OK
        except Exception as error:      # the outermost edge: a user's mistake is one line
            if not is_users_mistake(error):
                raise
            screen.error(describe(error))
            return EXIT_MISTAKE


def _parse(entry: Entry, prog: str, words: Sequence[str], screen: "Screen") -> Any:
    """The command's config, or an exit code when tyro has already said all (help, bad options)."""
    import tyro

    with _libraries_on_stderr():
        config = getattr(importlib.import_module(entry.module), entry.config)
    if "robot_fields" in config.__dataclass_fields__:
        from studio.commands.device_options import gathered

        words = gathered(words, config.__dataclass_fields__)
    try:
        return tyro.cli(config, prog=prog, args=list(words),
                        config=(tyro.conf.FlagCreatePairsOff,))
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else EXIT_MISTAKE
        if code != EXIT_OK and screen.json:
            screen.error(f"the options were not understood; `{prog} --help` explains them")
        return code


def _libraries_on_stderr() -> contextlib.redirect_stdout[Any]:
    """Stdout is for results: what a library prints by itself (pygame greets) goes to stderr."""
    return contextlib.redirect_stdout(sys.stderr)


def is_users_mistake(error: Exception) -> bool:
    """Whether the person who typed the command can put this right (its message says how)."""
    if isinstance(error, OSError):
        return error.errno in (errno.EACCES, errno.ENOSPC, errno.EROFS, errno.EPERM)
    from policy.backbones.packages import MissingPackage
    from policy.errors import CheckpointError, RecipeError, TrainingError
    from recorders.array_layout import DamagedRecording
    from recorders.store_errors import StoreError
    from studio.commands.output import UsersMistakeError
    from studio.devices.interfaces import DeviceError
    from studio.sim.instructions import InstructionError
    from studio.station.desk.address import DeskRunsAlready
    from studio.station.processes.command_link import StationSilent
    from studio.station.processes.supervisor import WorkerFailed

    return isinstance(error, UsersMistakeError | CheckpointError | RecipeError | TrainingError
                      | MissingPackage | StoreError | DamagedRecording | DeviceError
                      | InstructionError | StationSilent | WorkerFailed | DeskRunsAlready)


def describe(error: Exception) -> str:
    """The one line that the user reads."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def _report(words: Sequence[str], text: str) -> int:
    from studio.commands.output import Screen

    Screen(json="--json" in words).error(text)
    return EXIT_MISTAKE


def _write_out(text: str) -> None:
    sys.stdout.write(text + "\n")


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """A polite kill ends a session as Ctrl-C does: arm held, episode closed, processes joined."""
    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:          # not the main thread: a test, or a program that embeds us
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
