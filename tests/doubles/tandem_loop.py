"""A control loop, a hand and a policy whose answers come when the test says: for any interleaving.

Every chunk closes the gripper to a width of its own, so that what the arm is told says which chunk
it follows, whatever the player believes. Checks at every tick what must hold at every tick.
"""

import numpy as np
from doubles.following_arm import FollowingArm, RememberingArm
from doubles.rollout_desk import Hand

from policy.interfaces import Chunk
from recorders.clock import NS_PER_S, ManualClock
from studio.sim.robot import SimRobot
from studio.station.chunks.override_commands import (
    AcceptChunk,
    FixChunk,
    FixedStep,
    FreeChunk,
    HoldChunk,
    OverrideCommand,
    SlowChunks,
    StepChunks,
    TrimChunk,
    VetoChunk,
)
from studio.station.chunks.plan_desk import override
from studio.station.chunks.player import ChunkPlayer
from studio.station.commands import Reply, Rewind
from studio.station.loop.control_loop import ControlLoop
from studio.station.loop.ownership import DRIVER, Event
from studio.station.loop.rewinding import go_back
from studio.station.loop.safety import SafetyLimits
from studio.station.loop.shared_control import Sharing
from studio.station.messages import Mode, Owner
from studio.station.recording.episode_feed import EpisodeFeed, NoRecorder

TICK_NS, STEP_NS, STEPS = NS_PER_S // 100, NS_PER_S // 30, 16
WIDTHS = 5000                   # so many chunks can be told apart
INFO = SimRobot(ManualClock(), render=False).info
MOVING = (Mode.AUTO, Mode.SHARED, Mode.HANDBACK)
CLOSE = 1e-7
SHARES = (Sharing(), Sharing((0.0, 1.0, 0.0, 0.0, 0.0, 0.0)), Sharing((0.5,) * 6),
          Sharing(hand_back=False))


class TandemLoop:
    """See the head of this file.

    Args:
        remembers: the arm can be taken back; another one drives back.

    Attributes:
        played: how many ticks followed a chunk.
        went_back: how often somebody did.
        overridden: how often somebody changed a plan.
    """

    def __init__(self, *, remembers: bool = False) -> None:
        self.clock = ManualClock(NS_PER_S)
        self.arm = (RememberingArm if remembers else FollowingArm)(self.clock, INFO)
        self.hand = Hand(self.clock)
        self.loop = ControlLoop(clock=self.clock, robot=self.arm, teleop=self.hand,
                                limits=SafetyLimits(), rate_hz=100.0)
        self.player = ChunkPlayer(self.loop.kinematics, len(INFO.joint_names), SafetyLimits(),
                                  1 / 100)
        self.loop.player = self.player
        self.loop.subscribers.append(self)
        self.in_flight: list[Chunk] = []
        self.feed = EpisodeFeed(NoRecorder(), self.clock, INFO, self.loop.spec)
        self.played, self.went_back, self.overridden = 0, 0, 0
        self._chunks = self._looks = 0
        self._by_width: dict[int, Chunk] = {}
        self._driver: str | None = None
        self._changed_ns = self._number = 0
        self._oldest_words, self._vetoed_ns = 0, -1
        self._sent: list[np.ndarray] = []
        self.tick(2)
        self.arm_it()

    # ---- what may happen -------------------------------------------------------------------------

    def tick(self, count: int = 1) -> None:
        """Time passes."""
        for _ in range(count):
            self._note_driver(self.clock.now_ns())      # a change between ticks is of the last one
            self.clock.advance(TICK_NS)
            self.loop.tick()

    def look(self, ahead: int = 0) -> None:
        """The policy begins to plan from what is seen now."""
        targets = np.tile(np.append(self.loop.kinematics.forward(self.arm.position), 0.0),
                          (STEPS, 1))
        self._looks += 1
        self._chunks = self._looks % WIDTHS
        targets[:, 0] += 0.004 * np.arange(1, STEPS + 1) * (-1) ** self._chunks
        targets[:, -1] = self._chunks / WIDTHS
        now_ns = self.clock.now_ns()
        chunk = Chunk(targets=targets, space="tool", first_ns=now_ns + STEP_NS, step_ns=STEP_NS,
                      observation_ns=now_ns + ahead, latent_id=1, latent_ns=now_ns,
                      instruction_id=self.loop.instruction_id, weights_version=self._chunks % 3,
                      epoch=self.loop.ownership.epoch, chunk_id=self._looks)
        self._by_width[self._chunks] = chunk
        self.in_flight.append(chunk)

    def answer(self, which: int) -> None:
        """One of its answers arrives, perhaps long after it was begun, and in any order."""
        if self.in_flight:
            self.player.offer(self.in_flight.pop(which % len(self.in_flight)))

    def push(self, *, on: bool) -> None:
        """The hand takes hold, or lets go."""
        self.hand.pushing = on

    def press(self, gripper: float | None) -> None:
        """A gripper button is pressed, or let go."""
        self.hand.gripper = gripper

    def share(self, which: int) -> None:
        """What a person gets from the next time on."""
        self.loop.arbiter.sharing = SHARES[which % len(SHARES)]

    def play(self) -> None:
        """The policy is let drive, if it may."""
        self.loop.arbiter.play()

    def happen(self, event: Event) -> None:
        """Any event of the table."""
        self.loop.ownership.on(event, "test")

    def arm_it(self) -> None:
        """After whatever it was."""
        self.happen(Event.REARM)
        self.loop.arm()

    def rewind(self, seconds: float) -> Reply:
        """Somebody goes back, if that may be."""
        return go_back(self.loop, self.feed, Rewind(seconds))

    def edit(self, *, hard: bool) -> None:
        """Other words."""
        self.loop.edit_instruction("put the blue cube in the bin", flush=hard)
        if hard:
            self._oldest_words = self.loop.instruction_id

    def override(self, which: int, number: float) -> Reply:
        """Somebody asks something of the plan that runs, sensible or not."""
        running, step = self.player.place
        here = float(self.loop.kinematics.forward(self.arm.position)[1])
        dragged = here + 0.04 * (number - 0.5)
        asked: tuple[OverrideCommand, ...] = (
            FixChunk(running, (FixedStep(step + 3 + round(8 * number),
                                         (None, dragged, *(None,) * 6)),)),
            FixChunk(running - round(3 * number), (FixedStep(13, (None, dragged, *(None,) * 6)),)),
            FreeChunk(), TrimChunk(step + round(6 * number)),
            HoldChunk(0.3 * number, round(17 * number) - 1), HoldChunk(0.1 * number),
            SlowChunks(0.2 + 0.8 * number), SlowChunks(1.0), VetoChunk(running),
            StepChunks(number < 0.5), StepChunks(False), AcceptChunk(), AcceptChunk(0, 4))
        reply = override(self.loop, self.feed, asked[which % len(asked)])
        if reply.accepted:
            self.overridden += 1
            if isinstance(asked[which % len(asked)], VetoChunk):
                self._vetoed_ns = self.clock.now_ns()
        return reply

    # ---- what must hold --------------------------------------------------------------------------

    def on_tick(self, tick) -> None:
        """Check a tick, as a subscriber of the loop."""
        row, ownership = tick.row[0], self.loop.ownership
        mode, owners = Mode(row["mode"]), [Owner(owner) for owner in row["owner"]]
        assert tick.number == self._number                      # every tick leaves a record
        self._number += 1
        self._require_fresh(row, mode, owners, ownership.epoch)
        self._note_driver(int(row["t_mono_ns"]))
        if Owner.POLICY in owners or Owner.BLEND in owners:
            assert mode in MOVING, (mode, owners)
        if mode is Mode.STOP:
            assert set(owners) == {Owner.SAFETY}
        if mode is Mode.HUMAN:
            assert set(owners[:-1]) == {Owner.HUMAN}
        if mode is Mode.REWIND:
            assert set(owners) <= {Owner.SCRIPT, Owner.HOLD}
        if row["rewinds"] > self.went_back and isinstance(self.arm, RememberingArm):
            self._sent = []                             # the world was taken back: a cut, no jump
        self.went_back = int(row["rewinds"])
        self._require_smooth(row)

    def _require_fresh(self, row, mode: Mode, owners: list[Owner], epoch: int) -> None:
        """What moves the arm was planned under this owner, from after they became it."""
        joined = self._driver != DRIVER[Mode.SHARED]        # in this tick: it has no plan yet
        if mode is Mode.SHARED and joined:
            assert owners[-1] is not Owner.POLICY
        follows = owners[-1] is Owner.POLICY or (
            mode is Mode.SHARED and not joined and np.isfinite(row["proposed_policy"]).all())
        if not follows:
            return
        if self.player.overriding.time.rate == 0.0:
            return                          # it stands where a person had it stand
        chunk = self._by_width[round(float(row["proposed_policy"][-1]) * WIDTHS)]
        assert chunk.epoch == epoch, "a chunk of another owner"
        assert chunk.observation_ns > self._changed_ns, "a chunk from before the owner changed"
        assert chunk.instruction_id >= self._oldest_words, "a chunk of words that were taken back"
        assert chunk.observation_ns > self._vetoed_ns, "a chunk of before a plan was dropped"
        self.played += 1

    def _note_driver(self, stamp_ns: int) -> None:
        if (driver := DRIVER.get(self.loop.ownership.mode)) != self._driver:
            self._driver, self._changed_ns = driver, stamp_ns

    def _require_smooth(self, row) -> None:
        """|v|, |a|, |j| of what the arm was told stay in their bounds, whoever drives."""
        self._sent = [*self._sent[-3:], row["sent"].copy()]
        if len(self._sent) < 4:
            return
        dt_s = TICK_NS / NS_PER_S
        velocity = np.diff(self._sent, axis=0) / dt_s
        acceleration = np.diff(velocity, axis=0) / dt_s
        jerk = np.diff(acceleration, axis=0) / dt_s
        for values, bound in ((velocity, INFO.max_velocity), (acceleration, INFO.max_acceleration),
                              (jerk, INFO.max_jerk)):
            assert np.all(np.abs(values) <= np.array(bound) * (1 + 1e-3) + CLOSE / dt_s**3), values
