"""A simulated person who watches a policy and steps in when it gets nowhere.

For experiments: a stand-in for the operator of `tandem rollout`, through the same device, clutch
and hand-over as a SpaceMouse. It looks at how much of the task is done, and steps in, after a
reaction time, once that has not grown for longer than its patience or the arm is held by the safety
layer; it brings the task a good bit further, as the scripted operator would, and lets go. Sometimes
it is slow to see it, and where it may, it first goes back to where things went wrong. What it sees
of the truth is what that operator sees. Knows no policy and no station.
"""

from enum import Enum, auto
from typing import Any

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, Clock
from studio.devices.interfaces import idle_input
from studio.sim.operator import ScriptedOperator
from studio.sim.subtasks import goal_in
from studio.sim.tasks import phases_of

GROWN = 0.02                # of a phase: less is no progress
UNDER_WAY = 0.3             # of the next phase is done: the policy can go on from here


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What the simulated person is like.

    Attributes:
        patience_s: without progress before they want to step in.
        reaction_s: from then until their hand moves.
        inattention: chance, each time they want to, that they look away for `patience_s` more.
        longest_s: at the controls in one go.
        rewind_s: how far back they go first, to correct from where it went wrong; 0: they do not.
    """

    patience_s: float = 2.0
    reaction_s: float = 0.4
    inattention: float = 0.1
    longest_s: float = 10.0
    rewind_s: float = 0.0


class Watch(Enum):
    """What the person does."""

    LOOKING = auto()
    REACTING = auto()
    GOING_BACK = auto()
    DRIVING = auto()


class Overseer(ScriptedOperator):
    """Watches, steps in, lets go; see the head of this file.

    Args:
        person: how patient and how quick.
        seed: of its attention.

    Attributes:
        driven_s: time at the controls in this episode.
        interventions: in this episode.
    """

    name = "overseer"

    def __init__(self, person: Person | None = None, seed: int = 0) -> None:
        self._person = person or Person()
        super().__init__(seed=seed)

    def begin(self, seed: int) -> None:
        """A new episode: look, with attention drawn from this seed."""
        super().begin(seed)
        self._attention = np.random.default_rng((seed, 1))
        self._watch, self._since_ns, self._asked_back = Watch.LOOKING, 0, False
        self._best = self._begun_with = -1.0
        self.driven_s, self.interventions = 0.0, 0

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """Look at the scene, and decide whether to hold the device.

        Args:
            feedback: as the scripted operator's.
        """
        before_ns = self._stamp_ns
        super().send_feedback(feedback)
        sim = feedback.get("rows", {}).get("sim")
        if sim is None or "stamp_ns" not in feedback:
            return
        now_ns = int(feedback["stamp_ns"])
        goal = goal_in(sim)
        phases = 1 if goal is None else len(phases_of(goal))
        self._look(now_ns, phases * float(sim["progress"]), bool(sim["success"]),
                   held=feedback.get("mode") == "HOLD")
        if self._watch is not Watch.DRIVING:
            self._input = idle_input(now_ns)
        else:
            self.driven_s += 0.0 if before_ns is None else (now_ns - before_ns) / NS_PER_S

    @property
    def wants_the_arm(self) -> bool:
        """Whether the hand is at the device."""
        return self._watch is Watch.DRIVING

    @property
    def wants_back_s(self) -> float:
        """How far back they ask to go now; 0 if they do not."""
        return self._person.rewind_s if self._watch is Watch.GOING_BACK else 0.0

    def went_back(self) -> None:
        """They asked, and are back or cannot be: they look, and take the device."""
        self._watch = Watch.REACTING
        self._asked_back = True

    # ---- inside ----------------------------------------------------------------------------------

    def _look(self, now_ns: int, done: float, success: bool, *, held: bool) -> None:
        """Change what the person does, by how many phases of the task are done."""
        person = self._person
        if done > self._best + GROWN or self._best < 0:
            self._best = done
            if self._watch is not Watch.DRIVING:
                self._go(Watch.LOOKING, now_ns)
        elapsed_s = (now_ns - self._since_ns) / NS_PER_S
        match self._watch:
            case Watch.LOOKING if held:
                self._go(Watch.REACTING, now_ns)
            case Watch.LOOKING if not success and elapsed_s >= person.patience_s:
                if self._attention.random() < person.inattention:
                    self._since_ns = now_ns
                else:
                    self._go(Watch.REACTING, now_ns)
            case Watch.REACTING if elapsed_s >= person.reaction_s and not self._asked_back \
                    and person.rewind_s > 0:
                self._go(Watch.GOING_BACK, now_ns)
            case Watch.REACTING if elapsed_s >= person.reaction_s or self._asked_back:
                self._begun_with = self._best = done
                self.interventions += 1
                self._asked_back = False
                self._go(Watch.DRIVING, now_ns)
            case Watch.DRIVING if success or self.done or elapsed_s >= person.longest_s \
                    or done >= np.floor(self._begun_with) + 1 + UNDER_WAY:
                self._best = done
                self._go(Watch.LOOKING, now_ns)
            case _:
                pass

    def _go(self, watch: Watch, now_ns: int) -> None:
        self._watch, self._since_ns = watch, now_ns
        self._asked_back &= watch is not Watch.LOOKING


def overseer(clock: Clock, *, seed: int = 0, patience_s: float = 2.0, reaction_s: float = 0.4,
             inattention: float = 0.1, rewind_s: float = 0.0) -> Overseer:
    """The simulated person as `--teleop overseer` knows it; the clock is in its feedback.

    Args:
        clock: not used.
        seed: of its attention.
        patience_s, reaction_s, inattention, rewind_s: see `Person`.
    """
    return Overseer(Person(patience_s=patience_s, reaction_s=reaction_s, inattention=inattention,
                           rewind_s=rewind_s), seed)
