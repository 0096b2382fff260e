"""What a policy is to try, and how a trial went: plain records, as they go between processes.

Knows names and numbers; how a trial is run is evaluation.py.
"""

import msgspec

from policy.driving.two_speeds import Delays, Pace
from studio.sim.mishaps import Mishaps
from studio.station.chunks.joining import JOIN, Join


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """Other words in mid-episode.

    Attributes:
        text: may hold {colour}, {onto} and {other}, as `Trials.instruction`.
        tick: of the control loop since the policy began, at which it happens; or
        later: so many ticks after the edit before; or
        within_m: once the tool is so near to the cube that is asked for; or
        phase: once the scene is in that phase of its task, as "carry".
    """

    text: str
    tick: int = -1
    later: int = -1
    within_m: float = 0.0
    phase: str = ""


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """What to try.

    Attributes:
        robot: a name of studio/station/robots.py; edits and {colour} need "sim".
        seeds: of the scenes; also of whatever the policy draws at random.
        instruction: instead of what the scene's reset says; {colour} and {onto} stand for what that
            asked for, {other} for the colour after {colour}; the same holds for edits.
        keep_goal: go on judging by what the reset asked for, whatever the policy is told.
        edits: in the order in which they may happen.
        max_s: for a trial; 0: as long as the task allows.
        disturbance: what happens to the asked cube, see `studio.sim.disturbance.Disturbance`.
        join: how chunks are joined, see chunks/joining.py.
        mishaps: what breaks, see `studio.sim.mishaps.Mishaps`.
        store: folder of a store that keeps the failures; empty keeps nothing.
    """

    task: str
    seeds: tuple[int, ...]
    robot: str = "sim"
    instruction: str = ""
    keep_goal: bool = False
    edits: tuple[Edit, ...] = ()
    max_s: float = 0.0
    disturbance: dict[str, float] = {}
    mishaps: Mishaps | None = None
    pace: Pace = Pace()
    join: Join = JOIN
    delays: Delays = Delays()
    image_size: tuple[int, int] = (240, 320)
    store: str = ""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial went. Times are of the virtual clock but for those that say otherwise.

    Attributes:
        success_s: from the policy's beginning; None if it never succeeded.
        why: why it ended before its time without success.
        said: the sub-tasks that System 2 said, in order.
        edited_s: when each edit happened.
        effect_ticks: from each edit to the first tick that followed a chunk planned for its words;
            none if there was no such tick.
        alerts: when help was asked for, and because of which signal.
        held, slowed: see `policy.driving.two_speeds.Usage`.
        dry_ticks: the policy drove, but its chunk was over.
        act_ms, think_ms: wall time of every call.
        age_s: of the latent, at every call of System 1.
        latency_ms: from an observation to the first tick that followed it.
        wall_s: wall time of the whole trial.
        episode: its id, if it was kept.
        view: its Rerun file, if one was written.
    """

    seed: int
    instruction: str
    success_s: float | None
    duration_s: float
    why: str = ""
    said: tuple[str, ...] = ()
    edited_s: tuple[float, ...] = ()
    effect_ticks: tuple[int, ...] = ()
    alerts: tuple[tuple[float, str], ...] = ()
    system1_calls: int = 0
    system2_runs: int = 0
    held: int = 0
    slowed: int = 0
    dry_ticks: int = 0
    act_ms: tuple[float, ...] = ()
    think_ms: tuple[float, ...] = ()
    age_s: tuple[float, ...] = ()
    latency_ms: tuple[float, ...] = ()
    wall_s: float = 0.0
    episode: str = ""
    view: str = ""
