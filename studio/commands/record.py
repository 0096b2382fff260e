"""`tandem record`: episodes of one task into a store, driven by a person or by the script.

Knows options and words. The session itself is run by the station.
"""

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from studio.commands.data import describe_episode
from studio.commands.output import Answer, Screen, UsersMistakeError
from studio.commands.session_report import (
    SCRIPTED,
    count_labels,
    kept_episodes,
    longest_s,
    make_store,
    print_kept,
    require_session,
)
from studio.commands.session_run import run_and_tell

_PERSONS_TIME_S = 120.0     # for one episode; a hand is slower than the script


@dataclass(frozen=True, kw_only=True)
class Record:
    """Record demonstrations into a store.

    A person's episode begins with the first motion of the hand; it ends at success, when time is
    up, or by a key (they are shown). Every episode is committed the moment it ends; Ctrl-C keeps
    what was recorded.
    """

    robot: str = "sim"
    """The robot to drive: sim."""
    teleop: str = "scripted"
    """Who drives: scripted, spacemouse, gamepad, keyboard, or leader:<LeRobot type>."""
    task: str = "put-cube-in-bin"
    """What to demonstrate; `tandem tasks` lists the tasks."""
    episodes: int = 20
    """How many episodes to record."""
    to: Path = Path("datasets/mydata")
    """Folder of the store; it is made if it does not exist."""
    seed: int = 0
    """Episode i is set up with seed + i."""
    fast: bool = False
    """Run the simulator under a virtual clock, as fast as this machine can."""
    headless: bool = False
    """Show no live view."""
    clumsy: bool = False
    """Let the script err like a beginner; what it should have done is kept as a label."""
    perturbed: bool = False
    """Push the script off its way about once a second, so that a policy learns to come back; what
    it should have done is kept as a label. Recommended for demonstrations to train from."""
    operator: str = ""
    """Who demonstrates; empty means your user name, or the script's."""
    image_size: tuple[int, int] = (240, 320)
    """Height and width of the simulated cameras' pictures."""
    images: Literal["jpeg", "jpegxl-lossless"] = "jpeg"
    """How colour pictures are kept: JPEG at quality 95, or without any loss."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Record, and print what the store holds of it."""
        require_session(robot=self.robot, teleop=self.teleop, task=self.task, fast=self.fast,
                        episodes=self.episodes)
        if (self.clumsy or self.perturbed) and self.teleop != SCRIPTED:
            raise UsersMistakeError(f"--clumsy and --perturbed are for --teleop {SCRIPTED}; a "
                                    f"person needs no help")
        if self.clumsy and self.perturbed:
            raise UsersMistakeError("--clumsy and --perturbed exclude each other: choose one")
        # Here, because the station brings MuJoCo: --help and a mistyped option need not wait.
        from studio.station.launch import SessionRequest
        from studio.station.session import Outcome, SessionPlan

        scripted = self.teleop == SCRIPTED
        request = SessionRequest(
            plan=SessionPlan(
                tasks=(self.task,) * self.episodes, seed=self.seed, attended=not scripted,
                max_duration_s=longest_s([self.task]) if scripted else _PERSONS_TIME_S,
                operator=self.operator or ("" if scripted else getpass.getuser())),
            robot=self.robot, teleop=self.teleop, store=str(self.to), fast=self.fast,
            teleop_options=self._errors(),
            live=not self.headless, image_size=self.image_size, images=self.images)
        make_store(screen, self.to)
        outcomes: list[Outcome] = []
        try:
            problem = run_and_tell(screen, request, f"recording {self.task}", outcomes)
        except KeyboardInterrupt:
            kept = kept_episodes(self.to, outcomes)
            screen.say(f"kept {len(kept)} episodes; `tandem data ls {self.to}` lists them")
            raise
        kept = kept_episodes(self.to, outcomes)
        print_kept(screen, kept)
        if problem:
            screen.say(f"the session ended early: {problem}")
        screen.say(f"`tandem data ls {self.to}` lists all episodes of the store")
        return Answer({"store": str(self.to), "task": self.task, "problem": problem,
                       "labels": count_labels(kept),
                       "episodes": [describe_episode(e) for e in kept]},
                      ok=not problem and len(kept) == self.episodes)

    def _errors(self) -> dict[str, Any]:
        """How the script shall err, in its own words."""
        if not (self.clumsy or self.perturbed):
            return {}
        return {"clumsy": self.clumsy, "perturbed": self.perturbed, "seed": self.seed}
