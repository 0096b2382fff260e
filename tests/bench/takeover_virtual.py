"""What the virtual clock answers exactly: when an edit of the words acts, and how smooth flips are.

Edits: a trained policy on the real simulator; its two systems are made to take the time given, so
that a number of ticks depends on no machine. Flips: a hand, a policy whose answers come when it is
asked, and stops, in random order; `tandem_loop.py` checks each tick besides. Knows no table.
"""

import random
from pathlib import Path

import msgspec
import numpy as np
from doubles.rollout_desk import RolloutDesk
from doubles.tandem_loop import INFO, TICK_NS, TandemLoop
from smoothness import shares

from policy.driving.two_speeds import Delays
from policy.runs.checkpoints import load_policy
from recorders.clock import NS_PER_S
from studio.station.commands import SetInstruction
from studio.station.messages import Mode

COLOURS = ("red", "green", "blue")
PICTURES = (240, 320)


class Edits(msgspec.Struct, frozen=True):
    """Of edits of one kind.

    Attributes:
        ticks: from the command to the first tick that follows a chunk of the new words.
        still: of those, ticks in which nothing was followed, because the arm held.
        wrong: ticks whose number of the words is not that of the words in force.
    """

    ticks: list[int]
    still: list[int]
    wrong: int


def edits(run: Path, *, hard: bool, count: int, delays: Delays, seed: int = 5000) -> Edits:
    """Tell a driving policy other words, again and again, at random moments."""
    desk = RolloutDesk(load_policy(str(run)), delays=delays, pictures=PICTURES,
                       cameras=("front", "wrist"), depth=True)
    rng, ticks, still, wrong = random.Random(seed), [], [], 0
    try:
        for number in range(count):
            if number % 8 == 0:
                if number:
                    desk.end()
                desk.begin(seed + number)
                desk.ticks(100)
            desk.ticks(rng.randint(20, 60))
            loop = desk.station.loop
            desk.do(SetInstruction(f"put the {COLOURS[number % 3]} cube in the bin", hard))
            held, followed = 0, 0
            while True:
                (row,), followed = desk.ticks(1), followed + 1
                wrong += int(row["instruction_id"]) != loop.instruction_id
                chunk = desk.driver.player.chunk if desk.driver else None
                plays = row["mode"] == Mode.AUTO and np.isfinite(row["proposed_policy"]).all()
                if plays and chunk is not None and chunk.instruction_id == loop.instruction_id:
                    break
                held += not plays
                if followed > 500:
                    raise RuntimeError("the policy does not follow other words")
            ticks.append(followed)
            still.append(held)
    finally:
        desk.robot.disconnect()
    return Edits(ticks, still, wrong)


class Flips(msgspec.Struct, frozen=True):
    """Of random changes of the owner.

    Attributes:
        flips: how many epochs began.
        ticks: that ran.
        shares: of the robot's bounds that velocity, acceleration and jerk reached.
        jump: largest change of the command from tick to tick at a flip, beyond going on at the
            same velocity, as a share of what the bound of acceleration allows in a tick.
    """

    flips: int
    ticks: int
    shares: list[float]
    jump: float


def flips(count: int, seed: int = 0) -> Flips:
    """Let the owner change so often."""
    rng, loop = random.Random(seed), TandemLoop()
    kept = _Sent(loop)
    while kept.flips < count:
        loop.push(on=False)
        loop.arm_it()
        loop.play()
        for _ in range(10):
            loop.hand.twist = tuple(rng.uniform(-0.3, 0.3) for _ in range(3)) + tuple(
                rng.uniform(-1.0, 1.0) for _ in range(3))
            match rng.randrange(8):
                case 0 | 1 | 2:
                    loop.look()
                    loop.answer(-1)
                case 3:
                    loop.share(rng.randrange(4))
                case 4:
                    loop.press(rng.choice((None, 0.0, 1.0)))
                case _:
                    loop.push(on=rng.random() < 0.5)
            loop.tick(rng.randint(2, 12))
            loop.look()
            loop.answer(-1)
    bounds = tuple(map(np.array, (INFO.max_velocity, INFO.max_acceleration, INFO.max_jerk)))
    sent, period_s = np.array(kept.sent), TICK_NS / NS_PER_S
    at = np.array([number for number in kept.at if number >= 2])
    jumps = np.abs(sent[at] - 2 * sent[at - 1] + sent[at - 2]) / (bounds[1] * period_s**2)
    return Flips(kept.flips, len(sent), shares(sent, period_s, bounds), float(jumps.max()))


class _Sent:
    """What was sent, and at which ticks the owner had changed."""

    def __init__(self, loop: TandemLoop) -> None:
        self.sent: list[np.ndarray] = []
        self.at: list[int] = []
        self._epoch = 0
        loop.loop.subscribers.append(self)

    @property
    def flips(self) -> int:
        return len(self.at)

    def on_tick(self, tick) -> None:
        row = tick.row[0]
        if int(row["epoch"]) != self._epoch:
            self._epoch = int(row["epoch"])
            self.at.append(len(self.sent))
        self.sent.append(row["sent"].copy())
