"""How the policy is doing, in words: whether it is there, what it says, why the arm waits for it.

From what the station and the desk said last, as a person beside the arm wants to know it. What
System 2 says is quoted and not made up: its sub-task, whether it knows the instruction, and how old
its look is. Knows snapshots; refuses to know a screen.
"""

import math
from pathlib import PurePath

import msgspec

from studio.station.desk.link import DeskState
from studio.station.messages import Mode, PolicyHealth, Snapshot
from studio.views.words import age, counted, sentence


class PolicyWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a console shows of the policy.

    Attributes:
        word, icon, tone: its state, never by the tone alone.
        detail: a sentence: why it cannot drive, or why the arm waits; may be empty.
        name: of its run; empty without one.
        version: of the weights that drive, as "version 120"; empty while unknown.
        says: what System 2 wants done now, quoted; empty before it looked.
        told: what a person says in its place, which is what is done; or empty.
        latent: how old System 2's look is.
        rates, brief: of both systems, with what a call takes, and without.
        starved: what the arm had to wait for since the scene began; empty if for nothing.
    """

    word: str
    icon: str
    tone: str
    detail: str = ""
    name: str = ""
    version: str = ""
    says: str = ""
    told: str = ""
    latent: str = "–"
    rates: str = ""
    brief: str = ""
    starved: str = ""

    @property
    def doing(self) -> str:
        """What is done now, and who says so if that is not System 2; empty while unknown."""
        if not self.told:
            return self.says
        return f"{self.told}, as you say" + (f" (System 2: {self.says})" if self.says else "")


def policy_words(snapshot: Snapshot | None, state: DeskState | None, silent: bool) -> PolicyWords:
    """What there is to say.

    Args:
        snapshot: the newest of the station.
        state: the newest of the desk.
        silent: the station has said nothing for a second.
    """
    chosen = state.policy if state is not None else None
    name = PurePath(chosen.folder).name if chosen is not None else ""
    if chosen is not None and chosen.problem:
        return PolicyWords(word="Not loaded", icon="circle-x", tone="fault", name=name,
                           detail=sentence(chosen.problem))
    if chosen is not None and chosen.loading:
        return PolicyWords(word="Loading", icon="loader-circle", tone="offline", name=name,
                           detail="Everything else works meanwhile")
    if snapshot is None or silent or snapshot.policy is None:
        return PolicyWords(word="No policy", icon="bot", tone="offline",
                           detail="Choose a training run to let it drive")
    health = snapshot.policy
    word, icon, tone, detail = _state(snapshot, health)
    return PolicyWords(
        word=word, icon=icon, tone=tone, detail=sentence(detail), name=name or health.name,
        version=f"version {health.weights_version}", says=answer_of(health),
        told=snapshot.subtask,
        latent=age(health.latent_age_ms), rates=_rates(health), brief=_brief(health),
        starved=_starved(health))


def _state(snapshot: Snapshot, health: PolicyHealth) -> tuple[str, str, str, str]:
    if not health.alive:
        return ("Silent", "unplug", "fault",
                "the policy says nothing: wait until it is there again, or drive")
    if snapshot.alert is not None and snapshot.mode in (Mode.AUTO, Mode.HANDBACK):
        return "Asks for help", "bell", "override", snapshot.alert.words
    if snapshot.mode in (Mode.AUTO, Mode.SHARED):
        if why := why_it_holds(snapshot):
            return "Waits", "hourglass", "warning", why
        return "Drives", "bot", "policy", ""
    if snapshot.mode is Mode.HANDBACK:
        return "Plans", "repeat", "policy", "it plans from where you let go"
    if snapshot.mode is Mode.HUMAN:
        return "Watches", "eye", "ready", "what it would do is recorded beside what you do"
    if health.unconfirmed:
        return "Back", "rotate-ccw", "warning", "it was lost and is back: let it drive again"
    return "Ready", "circle-check", "ready", ""


def why_it_holds(snapshot: Snapshot) -> str:
    """Why the arm stands although the policy may drive; empty while it moves."""
    health = snapshot.policy
    if health is None or snapshot.mode not in (Mode.AUTO, Mode.SHARED):
        return ""
    if health.problem:
        return health.problem
    if not health.understood and not snapshot.subtask:
        return "it does not know what the instruction asks for: say it in other words"
    if math.isnan(health.latent_age_ms):
        return "System 2 has not looked yet"
    if snapshot.chunk is None:
        return "System 1 has said nothing since the last change"
    if snapshot.chunk.step >= len(snapshot.chunk.targets):
        return "its last chunk is over and nothing followed"
    return ""


def answer_of(health: PolicyHealth) -> str:
    """What System 2 answers to "What are you doing?"; empty before it looked."""
    if not health.understood:
        return "I do not know what the instruction asks for"
    return health.subtask


def _rates(health: PolicyHealth) -> str:
    parts = [f"System 1 {health.system1_hz:.1f} Hz{_took(health.act_ms.p50)}",
             f"System 2 {health.system2_hz:.1f} Hz{_took(health.think_ms.p50)}"]
    return "  ·  ".join(parts)


def _brief(health: PolicyHealth) -> str:
    return (f"S1 {health.system1_hz:.0f} Hz  ·  S2 {health.system2_hz:.1f} Hz  ·  "
            f"latent {age(health.latent_age_ms)}")


def _took(milliseconds: float) -> str:
    return "" if math.isnan(milliseconds) else f", {milliseconds:.0f} ms"


def _starved(health: PolicyHealth) -> str:
    parts = []
    if health.dry_ticks:
        parts.append(f"{counted(health.dry_ticks, 'tick')} without a plan")
    if health.held:
        parts.append(f"{counted(health.held, 'turn')} without a fresh look")
    if health.deadline_misses:
        parts.append(f"{counted(health.deadline_misses, 'late chunk')}")
    if health.refused:
        parts.append(f"{counted(health.refused, 'stale chunk')} refused")
    if health.spoiled:
        parts.append(f"{counted(health.spoiled, 'spoiled chunk')}")
    return ", ".join(parts)
