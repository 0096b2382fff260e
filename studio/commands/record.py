"""`tandem record`: episodes of one task into a store, driven by a person or by the script.

Knows options and words. The session itself is run by the station.
"""

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.commands.bounds import require_image_size, require_seed
from studio.commands.data import describe_episode
from studio.commands.device_fields import DeviceOptions
from studio.commands.output import Answer, Screen, UsersMistakeError
from studio.commands.session_report import (
    count_labels,
    kept_episodes,
    longest_s,
    print_kept,
    require_session,
    store_to_fill,
)
from studio.commands.session_run import run_and_tell
from studio.commands.variety import Variety
from studio.station.hand_set_tasks import FREE
from studio.station.robots import SCRIPTS, is_simulated

_PERSONS_TIME_S = 120.0     # for one episode; a hand is slower than the script


@dataclass(frozen=True, kw_only=True)
class Record(DeviceOptions):
    """Record demonstrations into a store.

    A person's episode begins with the first motion of the hand; it ends at success, when time is
    up, or by a key (they are shown). Every episode is committed the moment it ends; Ctrl-C keeps
    what was recorded.
    """

    teleop: str = "scripted"
    """Who drives: scripted (expert for gym:…), spacemouse, gamepad, keyboard, or
    leader:<LeRobot type>."""
    task: str = ""
    """What to demonstrate; `tandem tasks` lists the tasks of a simulator. Empty is its first one.
    With a real robot: what it is asked to do, in your words."""
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
    styles: Literal["plain", "mixed"] = "plain"
    """Mixed: the script drives every episode in another style: around by the left or the right,
    high or low, quickly or slowly."""
    edits: float = 0.0
    """Share of the episodes in which the instruction is changed once while the script is under way
    to what it named; the new goal is what counts."""
    bumps: float = 0.0
    """Share of the episodes in which the cube that is asked for is nudged by 3 to 7 cm."""
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
        options, teleop = self.robot_options(), self.teleoperator
        task = require_session(robot=self.robot, teleop=teleop, task=self.task, fast=self.fast,
                               episodes=self.episodes, robot_options=options)
        if not is_simulated(self.robot) and task == FREE:
            raise UsersMistakeError("say what is demonstrated: --task 'put the cube in the box'")
        require_seed(self.seed)
        require_image_size(self.image_size)
        scripted = teleop in SCRIPTS
        variety = Variety(clumsy=self.clumsy, perturbed=self.perturbed, styles=self.styles,
                          edits=self.edits, bumps=self.bumps)
        variety.require(robot=self.robot, script=scripted, task=task)
        # Here, because the station brings MuJoCo: --help and a mistyped option need not wait.
        from studio.station.launch import SessionRequest
        from studio.station.session import Outcome, SessionPlan

        request = SessionRequest(
            plan=SessionPlan(
                tasks=(task,) * self.episodes, seed=self.seed, attended=not scripted,
                max_duration_s=longest_s([task], self.robot) if scripted else _PERSONS_TIME_S,
                operator=self.operator or ("" if scripted else getpass.getuser()),
                instruction="" if is_simulated(self.robot) else task, edits=self.edits),
            robot=self.robot, teleop=teleop, store=str(self.to), fast=self.fast,
            teleop_options=self.teleop_options()
            | variety.teleop_options(self.seed),
            robot_options=options | variety.robot_options(),
            live=not self.headless, image_size=self.image_size, images=self.images)
        outcomes: list[Outcome] = []
        try:
            with store_to_fill(screen, self.to):
                problem = run_and_tell(screen, request, f"recording {task}", outcomes)
        except KeyboardInterrupt:
            kept = kept_episodes(self.to, outcomes)
            screen.say(f"kept {len(kept)} episodes; `tandem data ls {self.to}` lists them")
            raise
        kept = kept_episodes(self.to, outcomes)
        print_kept(screen, kept)
        if problem:
            screen.say(f"the session ended early: {problem}")
        screen.say(f"`tandem data ls {self.to}` lists all episodes of the store")
        return Answer({"store": str(self.to), "task": task, "problem": problem,
                       "labels": count_labels(kept),
                       "episodes": [describe_episode(e) for e in kept]},
                      ok=not problem and len(kept) == self.episodes)
