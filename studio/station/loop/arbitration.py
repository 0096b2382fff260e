"""Who decides what the arm does in a tick: the hand, the policy, both, or nobody.

The hand always wins, in the tick in which it moves: no pause and no key comes first. When it lets
go of an arm that a policy drove, the policy plans anew from where the arm is and goes on. Knows
wishes and modes; knows no clock, no device and no disk.
"""

import msgspec
import numpy as np

from recorders.clock import NS_PER_S
from studio.devices.interfaces import HumanInput
from studio.station.loop.guards import Finding
from studio.station.loop.ownership import Event, Ownership
from studio.station.loop.shared_control import SharedControl, Sharing
from studio.station.messages import Mode, Owner

QUIET_NS = NS_PER_S // 10       # without any input before the policy has the arm back
GRIPPER = 6                     # its place among the shares, behind the six axes


class Proposals(msgspec.Struct, frozen=True):
    """What everybody who may drive wants in this tick: joints (D,), or None for nothing.

    Attributes:
        commanded: (D,) what the robot was last told.
        plan: the chunk that the policy's wish is from.
        back: where the arm is to be while it drives back along its way.
        back_again: it is there.
    """

    human_input: HumanInput
    commanded: np.ndarray
    human: np.ndarray | None = None
    policy: np.ndarray | None = None
    plan: object = None
    back: np.ndarray | None = None
    back_again: bool = False


class Decision(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        wish: (D,) for the safety layer; None: hold.
        owner: (D,) `Owner` of every degree of freedom.
        human_share: (7,) of the tool's six axes and the gripper, 0 to 1.
    """

    wish: np.ndarray | None
    owner: np.ndarray
    human_share: np.ndarray


class Arbiter:
    """Applies who drives to the mode, and the mode to the wishes.

    Args:
        ownership: the mode.
        shared: for when both drive.

    Attributes:
        sharing: what a person gets who steps in; taken note of when they do.
        intervention: counts how often a person took an arm that a policy drives in this scene,
            at once or after a hold, from 1; 0 while nobody does.
    """

    def __init__(self, ownership: Ownership, shared: SharedControl) -> None:
        self._ownership, self._shared = ownership, shared
        self.sharing = Sharing()
        self.intervention = 0
        self._interventions = 0
        self._held = Sharing()          # as it was when the person stepped in
        self._supervised = False        # a policy drives, or goes on when the person lets go
        self._rollout = False           # a policy has driven in this scene
        self._pressed = False           # the gripper is the person's by now
        self._touched_ns = 0

    @property
    def asked(self) -> np.ndarray | None:
        """(D,) where both together asked the arm to be; None unless they share it."""
        return self._shared.solution if self._ownership.mode is Mode.SHARED else None

    def play(self) -> bool:
        """Let the policy drive; returns whether the mode allows it."""
        accepted = self._ownership.on(Event.PLAY)
        self._supervised |= accepted
        self._rollout |= accepted
        return accepted

    def begin(self) -> None:
        """Another scene, in which nobody has driven yet; who is at it goes on as its first."""
        self._rollout = self._supervised
        self._interventions = self.intervention = int(self.intervention > 0)

    def dismiss(self) -> None:
        """The policy is not to go on when the person lets go: the arm holds then."""
        self._supervised = False

    def decide(self, now_ns: int, proposals: Proposals, finding: Finding) -> Decision:
        """Note what happened, change the mode accordingly, and choose.

        Args:
            now_ns: the tick's monotonic stamp.
            proposals: of this tick.
            finding: of the guards; it has been applied to the mode already.
        """
        epoch = self._ownership.epoch
        self._change(now_ns, proposals)
        if self._ownership.epoch != epoch:      # what the policy wished was planned for another
            proposals = msgspec.structs.replace(proposals, policy=None)
        may_move = self._ownership.may_move
        if not may_move or finding.brake:
            self._shared.release()
            wish = finding.back_off if may_move else None
            return Decision(wish, self._owner(proposals, wish), np.zeros(GRIPPER + 1))
        wish = self._choose(proposals)
        return Decision(wish, self._owner(proposals, wish), self._share())

    # ---- the mode --------------------------------------------------------------------------------

    def _change(self, now_ns: int, proposals: Proposals) -> None:
        ownership, mode = self._ownership, self._ownership.mode
        if not ownership.may_move:
            self._supervised = False
        touched = proposals.human_input.gripper is not None
        takes = self._supervised or mode is Mode.REWIND
        if proposals.human_input.enabled or (touched and takes):
            self._touched_ns = now_ns
            self._step_in(mode)
            self._pressed |= touched
        elif mode in (Mode.HUMAN, Mode.SHARED):
            self._let_go(now_ns)
        elif mode is Mode.HANDBACK and proposals.policy is not None:
            ownership.on(Event.PLAY)
        elif mode is Mode.REWIND and proposals.back_again:
            ownership.on(Event.REWOUND)
        if ownership.mode not in (Mode.HUMAN, Mode.SHARED):
            self.intervention = 0

    def _step_in(self, mode: Mode) -> None:
        if mode not in (Mode.HUMAN, Mode.SHARED):
            self._held = self.sharing if self._supervised else Sharing()
            self._pressed = False
            self._shared.release()
        if not self._ownership.on(Event.INPUT if self._held.whole else Event.JOIN):
            return
        if self._rollout and not self.intervention:
            self._interventions += 1
            self.intervention = self._interventions

    def _let_go(self, now_ns: int) -> None:
        if not self._supervised:
            self._ownership.on(Event.RELEASE)
        elif now_ns - self._touched_ns >= QUIET_NS:
            self._supervised = self._held.hand_back
            self._ownership.on(Event.YIELD if self._supervised else Event.RELEASE)

    # ---- the wish --------------------------------------------------------------------------------

    def _choose(self, proposals: Proposals) -> np.ndarray | None:
        mode = self._ownership.mode
        if mode is Mode.SHARED:
            return self._shared.wish(
                proposals.human_input, proposals.human, proposals.policy, proposals.plan,
                proposals.commanded, np.array(self._held.human))
        if mode is Mode.REWIND:
            return proposals.back
        return proposals.policy if mode is Mode.AUTO else proposals.human

    def _owner(self, proposals: Proposals, wish: np.ndarray | None) -> np.ndarray:
        """(D,) exactly one owner for each degree of freedom."""
        mode = self._ownership.mode
        driven = Owner.HOLD if wish is None else Owner.POLICY
        led = Owner.HOLD if wish is None else Owner.SCRIPT
        whole = {Mode.IDLE: Owner.NOBODY, Mode.FAULT: Owner.NOBODY, Mode.STOP: Owner.SAFETY,
                 Mode.HUMAN: Owner.HUMAN, Mode.SHARED: Owner.BLEND, Mode.AUTO: driven,
                 Mode.REWIND: led}.get(mode, Owner.HOLD)
        # Two who drive have let go of their target where the guards brake.
        backs_off = (self._shared.solution is None if mode is Mode.SHARED else
                     wish is not None and wish is not proposals.human
                     and wish is not proposals.policy and wish is not proposals.back)
        owners = np.full(len(proposals.commanded), Owner.SAFETY if backs_off else whole,
                         dtype=np.uint8)
        if backs_off:
            return owners
        if mode in (Mode.ARMED, Mode.HANDBACK) and wish is not None:
            owners[-1] = Owner.HUMAN            # a gripper button needs no clutch
        if mode is Mode.SHARED:
            owners[-1] = (Owner.HUMAN if self._pressed else
                          Owner.HOLD if proposals.policy is None else Owner.POLICY)
        if mode is Mode.HUMAN and self._supervised and not self._pressed:
            owners[-1] = Owner.HOLD             # as the policy left it, until it is pressed
        return owners

    def _share(self) -> np.ndarray:
        """(7,) of the person, per axis of the tool and of the gripper."""
        mode, share = self._ownership.mode, np.zeros(GRIPPER + 1)
        if mode in (Mode.HUMAN, Mode.SHARED):
            share[:GRIPPER] = self._held.human
            share[GRIPPER] = self._pressed or not self._supervised
        return share
