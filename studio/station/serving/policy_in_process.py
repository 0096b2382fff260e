"""A policy in the station's own process, for the virtual clock: seen, thought and played in a tick.

Puts feed, two speeds and player on one control loop. The live policy lives in a process of its own
(policy_worker.py) and uses the same three; here a call may take as long as it likes, because time
stands still meanwhile, and what it would have cost is modelled. Decides nothing itself.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from policy.driving.two_speeds import Delays, Pace, TwoSpeeds
from policy.interfaces import Held, Observation, Policy
from policy.monitoring.calibration import Calibration
from recorders.clock import NS_PER_S
from studio.station.chunks.decided import held_of
from studio.station.chunks.joining import JOIN, Join
from studio.station.chunks.log import Costs
from studio.station.chunks.player import ChunkPlayer
from studio.station.loop.control_loop import ControlLoop, TickRecord
from studio.station.loop.safety import SafetyLimits
from studio.station.messages import PolicyHealth
from studio.station.serving.policy_feed import PolicyFeed, Shown
from studio.station.serving.policy_link import spread
from studio.station.serving.policy_loading import loaded, remark_on, require_fit, require_for
from studio.station.serving.policy_process import PolicyChoice
from studio.station.serving.vocabulary import vocabulary_of
from studio.station.station import Station


class PolicyInProcess:
    """Drives a control loop's AUTO mode with a policy; a subscriber of the loop.

    Args:
        loop: its `player` is set.
        policy: reset at every new scene, with the scene's seed.
        pace, delays: see policy/driving/two_speeds.py.
        join: see chunks/joining.py.
        note: told `kind` and fields of what System 2 says, whenever that changes.

    Attributes:
        name: of its checkpoint, if it has one.
        remark: see `PolicyHealth`.
        speeds, player: what they count is for the report.

    Raises:
        DeviceError, ValueError, MissingSignal: the robot does not show what the policy wants.
    """

    def __init__(self, loop: ControlLoop, policy: Policy, pace: Pace | None = None,
                 delays: Delays | None = None, *, join: Join = JOIN,
                 note: Callable[..., Any] = lambda kind, **fields: None) -> None:
        info = loop.robot.info
        require_fit(policy, info, (loop.spec, *info.streams))
        self.speeds = TwoSpeeds(policy, pace, delays)
        self.speeds.held = self._held
        self.player = ChunkPlayer(loop.kinematics, len(info.joint_names), SafetyLimits(),
                                  1 / loop.spec.rate_hz, join)
        self._feed = PolicyFeed(policy.spec, (loop.spec, *info.streams), self._see)
        self._note, self._said, self.name, self._subtask = note, "", "", loop.subtask
        self.remark, self._remarked = "", -1        # and the scene in which that was noted
        self._scene, self._seed, self._now_ns, self._policy = -1, 0, 0, policy
        self._rewinds = 0
        self._newest: Shown | None = None
        self._before = (0, 0, 0, 0)     # of the player's counts, when the scene began
        loop.player = self.player
        loop.subscribers.append(self)

    def on_tick(self, tick: TickRecord) -> None:
        """See what is new, and have what is ready played from the next tick on."""
        self._now_ns = tick.stamp_ns
        if self.remark and tick.assignment.scene != self._remarked:
            self._remarked = tick.assignment.scene
            self._note("policy", remark=self.remark)
        self._feed.on_tick(tick)
        self._offer()
        latent = self.speeds.buffer.newest
        said = "" if latent is None else latent.subtask if latent.understood else "not understood"
        self._subtask.hear(said)
        if said != self._said:
            self._said = said
            self._note("policy", says=said)

    def swap(self, policy: Policy) -> None:
        """Drive with other weights of the same spec from now on; meanwhile the last chunk goes on.

        Both systems look at once at the newest picture; what comes of it is played from the next
        tick on, if no time is modelled for them.
        """
        self._policy = policy
        self.speeds.swap(policy, self._seed)
        if self._newest is not None:
            self.speeds.observe(self._newest.observation, self._now_ns, self._newest.epoch)
            self._offer()

    def health(self, now_ns: int) -> PolicyHealth:
        """As of a tick's stamp; its counts are of the present scene. It is always there."""
        usage, latent = self.speeds.usage, self.speeds.buffer.newest
        taken, refused, dry_ticks, first = (
            now - before for now, before in zip(self._counts(), self._before, strict=True))
        return PolicyHealth(
            alive=True, name=self.name, remark=self.remark,
            weights_version=self._policy.weights_version,
            subtask="" if latent is None else latent.subtask,
            understood=latent is None or latent.understood,
            latent_age_ms=math.nan if latent is None else (now_ns - latent.observation_ns) / 1e6,
            system1_calls=usage.system1_calls, system2_runs=usage.system2_runs, held=usage.held,
            slowed=usage.slowed, act_ms=spread(usage.act_ns), think_ms=spread(usage.think_ns),
            age_ms=spread(usage.age_ns), taken=taken, refused=refused, dry_ticks=dry_ticks,
            latency_ms=spread(self.player.played.latency_ns[-first:] if first else []),
            **vocabulary_of(self._policy))

    def _offer(self) -> None:
        if (chunk := self.speeds.chunk(self._now_ns)) is not None:
            self.player.log.cost(chunk.chunk_id, self._costs())
            self.player.offer(chunk)

    def _costs(self) -> Costs:
        """Of the newest chunk, on the machine's clock."""
        act_ns, think_ns = self.speeds.usage.act_ns, self.speeds.usage.think_ns
        return Costs(act_ms=act_ns[-1] / 1e6 if act_ns else math.nan,
                     think_ms=think_ns[-1] / 1e6 if think_ns else math.nan)

    def _counts(self) -> tuple[int, int, int, int]:
        played = self.player.played
        return played.taken, played.refused, int(played.dry_ticks), len(played.latency_ns)

    def _held(self, observation: Observation, epoch: int) -> Held | None:
        return held_of(self.player.decided(), observation, epoch, self._policy.spec)

    def _see(self, shown: Shown) -> None:
        self._newest = shown
        if shown.scene != self._scene:
            self._scene, self._before, self._seed = shown.scene, self._counts(), shown.seed
            self.speeds.reset(shown.seed)
        elif shown.rewinds != self._rewinds:
            self.speeds.swap(self.speeds.policy, shown.seed + shown.rewinds)
        self._rewinds = shown.rewinds
        self.speeds.observe(shown.observation, self._now_ns, shown.epoch)


def drive_in_process(choice: PolicyChoice, station: Station, delays: Delays) -> PolicyInProcess:
    """Load a policy and let it serve a station under the virtual clock.

    Raises:
        CheckpointError: it cannot be loaded.
        DeviceError, ValueError, MissingSignal: the robot does not show what the policy wants, or is
            another one than it was trained on.
    """
    require_for(choice.policy, station.loop.robot.info)
    policy = loaded(choice.loader, choice.policy, choice.device, choice.policy_map,
                    choice.flow_steps)
    driver = PolicyInProcess(station.loop, policy, choice.pace, delays,
                             join=choice.join, note=station.feed.event)
    driver.name = choice.policy
    driver.remark = remark_on(choice.policy, (station.loop.spec, *station.loop.robot.info.streams))
    station.health.policy = driver.health
    station.loop.alerts.calibration = Calibration.load(Path(choice.policy))
    return driver


def latencies_ms(player: ChunkPlayer) -> list[float]:
    """From an observation's stamp to the first tick that played what came of it."""
    return [latency_ns / (NS_PER_S / 1000) for latency_ns in player.played.latency_ns]
