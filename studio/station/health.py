"""From ticks to the snapshot that consoles draw: rates, lateness, drops, and what is wrong.

A subscriber of the control loop. Counts cheaply every tick, and builds a `Snapshot` a few times a
second for whoever wants one. Decides nothing.
"""

from collections import deque
from collections.abc import Callable

import numpy as np

from recorders.clock import NS_PER_S
from studio.station.loop.control_loop import ControlLoop, TickRecord
from studio.station.loop.guards import wrench_in
from studio.station.messages import (
    Guard,
    Mode,
    PolicyHealth,
    RecorderHealth,
    Snapshot,
    StreamHealth,
)
from studio.station.recording.episode_feed import EpisodeFeed

SNAPSHOT_HZ = 20
WINDOW_S = 2.0              # of rates and lateness: long enough to read, short enough to notice


class StreamMeter:
    """Rate, age and gaps of one stream."""

    def __init__(self, name: str) -> None:
        self.name, self.dropped = name, 0
        self._last_seq: int | None = None
        self._arrivals: deque[tuple[int, int]] = deque()
        self._newest_ns = 0

    def count(self, rows: np.ndarray) -> None:
        """Take note of new rows."""
        seqs, stamps = rows["seq"], rows["t_mono_ns"]
        before = seqs[0] - 1 if self._last_seq is None else self._last_seq
        self.dropped += max(0, int(seqs[-1] - before) - len(seqs))
        self._last_seq, self._newest_ns = int(seqs[-1]), int(stamps[-1])
        self._arrivals.append((self._newest_ns, len(rows)))

    def health(self, now_ns: int) -> StreamHealth:
        """As of now."""
        horizon_ns = now_ns - int(WINDOW_S * NS_PER_S)
        while self._arrivals and self._arrivals[0][0] < horizon_ns:
            self._arrivals.popleft()
        rate = sum(n for _, n in self._arrivals) / WINDOW_S
        age_ms = (now_ns - self._newest_ns) / 1e6 if self._newest_ns else -1.0
        return StreamHealth(self.name, rate, self.dropped, age_ms)

    def forget(self) -> None:
        """A reset restarts the device's count: that is no gap."""
        self._last_seq = None


class Health:
    """Meters of a running loop."""

    def __init__(self, loop: ControlLoop, feed: EpisodeFeed,
                 recorder: Callable[[], RecorderHealth],
                 publish: Callable[[Snapshot], None]) -> None:
        self._loop, self._feed, self._recorder, self._publish = loop, feed, recorder, publish
        rate_hz = loop.spec.rate_hz
        self._period_ns = NS_PER_S / rate_hz
        self._meters = {spec.name: StreamMeter(spec.name) for spec in loop.robot.info.streams}
        self._lateness_ns: deque[int] = deque(maxlen=int(WINDOW_S * rate_hz))
        self._stamps_ns: deque[int] = deque(maxlen=int(WINDOW_S * rate_hz))
        self._next_ns = 0
        self.late_ticks = 0
        self.recorder = RecorderHealth(alive=True)
        """As of the last snapshot: asking costs more than a tick should."""
        self.hints: dict[str, str] = {}
        """What else the operator should know or do, by who says so."""
        self.resetting = False
        self.policy: Callable[[int], PolicyHealth | None] = lambda now_ns: None
        """Says how the policy is doing, where there is one."""

    def forget_sequence(self) -> None:
        """The robot's streams start counting anew."""
        for meter in self._meters.values():
            meter.forget()

    def on_tick(self, tick: TickRecord) -> None:
        """Count; publish when it is time."""
        lateness_ns = int(tick.row["lateness_ns"][0])
        self._lateness_ns.append(lateness_ns)
        self._stamps_ns.append(tick.stamp_ns)
        self.late_ticks += lateness_ns > self._period_ns
        for batch in tick.batches:
            if batch.stream in self._meters and len(batch.rows):
                self._meters[batch.stream].count(batch.rows)
        if tick.stamp_ns >= self._next_ns:
            self._next_ns = tick.stamp_ns + NS_PER_S // SNAPSHOT_HZ
            self._publish(self.snapshot(tick))

    def snapshot(self, tick: TickRecord) -> Snapshot:
        """All that a console may draw."""
        loop, row = self._loop, tick.row[0]
        late_ms = np.percentile(np.array(self._lateness_ns) / 1e6, [50, 99, 100])
        span_s = max(self._stamps_ns[-1] - self._stamps_ns[0], 1) / NS_PER_S
        arm, sim = tick.latest.get("arm"), tick.latest.get("sim")
        wrench = wrench_in(tick.latest.get("contact"))
        self.recorder = recorder = self._recorder()
        policy = self.policy(tick.stamp_ns)
        return Snapshot(
            stamp_ns=tick.stamp_ns, tick=tick.number, mode=loop.ownership.mode,
            reason=loop.ownership.reason, epoch=loop.ownership.epoch,
            owners=tuple(row["owner"].tolist()), guards=int(row["guards"]),
            task=loop.task, instruction=loop.instruction, instruction_by=loop.instruction_by,
            seed=loop.seed, subtask=loop.subtask.text, subtask_by=loop.subtask.by,
            phase="" if sim is None else str(int(sim["phase"])),
            success=sim is not None and bool(sim["success"]),
            episode=self._feed.episode, episode_s=self._feed.seconds(tick.stamp_ns),
            practice=self._feed.practice,
            position=() if arm is None else tuple(arm["position"].tolist()),
            sent=tuple(row["sent"].tolist()),
            tool_pose=() if arm is None else tuple(arm["tool_pose"].tolist()),
            wrench=() if wrench is None else tuple(wrench.tolist()),
            human_axes=tuple(row["human_raw"].tolist()), human_buttons=int(row["human_buttons"]),
            human_report=getattr(loop.teleop, "last_report", ""),
            human_status=int(tick.human.status),
            human_enabled=tick.human.enabled, speed_scale=loop.speed_scale,
            control_hz=(len(self._stamps_ns) - 1) / span_s,
            lateness_p50_ms=float(late_ms[0]), lateness_p99_ms=float(late_ms[1]),
            lateness_max_ms=float(late_ms[2]), late_ticks=self.late_ticks,
            streams=tuple(m.health(tick.stamp_ns) for m in self._meters.values()),
            recorder=recorder, policy=policy, resetting=self.resetting,
            alert=loop.alerts.alert, signals=tuple(loop.alerts.signals.tolist()),
            signal_limits=tuple(loop.alerts.limits.tolist()) if loop.alerts.calibration else (),
            rewinds=loop.way_back.rewinds, rewind_s=loop.way_back.seconds,
            chunk=None if loop.player is None else loop.player.shown(),
            plan_scale=1.0 if loop.player is None else loop.player.overriding.scale,
            stepping=loop.player is not None and loop.player.overriding.stepping,
            human_share=tuple(row["human_share"].tolist()), intervention=int(row["intervention"]),
            sharing=loop.arbiter.sharing.human, hand_back=loop.arbiter.sharing.hand_back,
            problems=self._problems(int(row["guards"]), recorder, policy))

    def _problems(self, flags: int, recorder: RecorderHealth,
                  policy: PolicyHealth | None) -> tuple[str, ...]:
        said = [self._loop.ownership.reason] if self._loop.ownership.reason else []
        said += [hint for hint in self.hints.values() if hint]
        if recorder.error:
            said.append(recorder.error)
        if recorder.overflowed:
            said.append(f"{recorder.overflowed} messages to the recorder were lost: the disk or "
                        "the machine is too slow; discard this episode")
        mode = self._loop.ownership.mode
        if policy is not None and mode in (Mode.ARMED, Mode.HOLD):
            if not policy.alive:
                said.append("the policy says nothing: wait until it is there again, or drive")
            elif policy.unconfirmed:
                said.append("the policy is there again, and drives when you let it")
        if policy is not None and mode is Mode.AUTO:
            if policy.problem:
                said.append(policy.problem)
            elif not policy.understood and not self._loop.subtask.text:
                said.append("the policy does not know what the instruction asks for: the arm "
                            "holds; say it in other words")
        if flags & Guard.DEVICE_LOST:
            remedy = getattr(self._loop.teleop, "fault", "") or "plug it in again"
            said.append(f"{self._loop.teleop.name} is lost: {remedy}")
        return tuple(said)
