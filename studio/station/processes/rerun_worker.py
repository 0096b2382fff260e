"""The live view's process: role "rerun" of worker.py.

Listens to what the station says to everybody who watches, collects it for a tenth of a second (a
call of Rerun's costs as much for one row as for ten), and logs it to a server on this machine. A
new recording begins with every episode. It may be slow, be killed and be started again without
anybody else noticing: what it misses is counted and said in the log.
"""

import sys
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import rerun as rr

from recorders.clock import NS_PER_S
from recorders.rerun_blueprint import episode_blueprint
from recorders.rerun_file import APPLICATION
from recorders.rerun_log import EpisodeLog
from recorders.streams import Batch, StreamSpec
from studio.station.messages import Snapshot, tick_stream
from studio.station.processes.bus import Endpoints, LatestSubscriber, open_context
from studio.station.processes.remote_robot import described_robot
from studio.station.processes.rerun_server import DEFAULT_PORT, ViewerServer, ViewerServerFailed
from studio.station.processes.watch import BATCHES, SNAPSHOT
from studio.station.processes.wire import decode_batches, unpack
from studio.station.processes.worker import Life
from studio.station.serving.policy_link import CHUNK, Answer, decode_answer
from studio.station.serving.policy_view import PolicyView

COLLECT_S = 0.1
PLACE_AGAIN_NS = 5 * NS_PER_S   # so long whoever comes late may wait for an arm that rests
# Messages that may wait here: two seconds of ticks, for the moments in which a new recording opens.
BACKLOG = 200

_snapshots = msgspec.msgpack.Decoder(Snapshot)


class RerunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the live view is told."""

    links: Endpoints
    """Where the station's links listen."""
    rate_hz: float = 100.0
    """Of the control loop."""
    policy: bool = False
    """Whether a policy's process may say its chunks on the links."""
    port: int = DEFAULT_PORT
    """Where viewers connect; another free port is taken if it is in use."""
    memory_limit: str = "512MB"
    """Of what a viewer that connects late can still see; about a minute of two 640×480 cameras
    with depth, ten minutes without."""


class LiveView:
    """Turns what is watched into recordings, one per episode.

    Args:
        url: of the server.
        streams: all that the station may send.
        model_xml: MJCF of the robot and its scene, or empty.
        policy: draws what the policy is up to, from when one is there.
    """

    def __init__(self, url: str, streams: Sequence[StreamSpec], model_xml: str,
                 policy: PolicyView | None = None) -> None:
        self._url, self._streams, self._model_xml = url, streams, model_xml
        self._policy, self._absent = None, policy
        self._recording: rr.RecordingStream | None = None
        self._log: EpisodeLog | None = None
        self._episode: str | None = None
        self._instruction = ""
        self._problems: tuple[str, ...] = ()
        self._alert = 0
        self._missed = self._idle = self._placed_ns = 0

    def show(self, batches: Iterable[Batch]) -> None:
        """Log rows and pictures into the present recording."""
        if self._log is None:
            self._begin("", None)
        assert self._log is not None
        together = merged(batches)
        self._log.log(together)
        for batch in together:
            if self._policy is not None and batch.stream == "arm":
                self._policy.moved(batch.rows["position"][-1])

    def follow(self, snapshot: Snapshot) -> None:
        """Begin a recording when an episode begins or ends; log what a snapshot says anew."""
        if snapshot.episode != self._episode:
            started_ns = snapshot.stamp_ns - round(snapshot.episode_s * NS_PER_S)
            self._begin(snapshot.episode, started_ns)
        assert self._log is not None
        if self._absent is not None and snapshot.policy is not None:
            self._meet_policy(self._absent)
        stamp_ns = snapshot.stamp_ns
        if stamp_ns - self._placed_ns >= PLACE_AGAIN_NS:
            self._placed_ns = stamp_ns
            self._log.place_again()
        if snapshot.phase:
            self._log.state(stamp_ns, "phase", snapshot.phase)
        if snapshot.instruction and snapshot.instruction != self._instruction:
            self._log.write(stamp_ns, snapshot.instruction, kind="instruction")
        self._instruction = snapshot.instruction
        for problem in snapshot.problems:
            if problem not in self._problems:
                self._log.write(stamp_ns, problem, kind="problem", level="WARN")
        self._problems = snapshot.problems
        self._follow_alert(self._log, snapshot)
        if self._policy is not None and snapshot.policy is not None:
            self._policy.health(self._log, stamp_ns, snapshot.policy)

    def _follow_alert(self, log: EpisodeLog, snapshot: Snapshot) -> None:
        alert = snapshot.alert
        if self._alert and (alert is None or alert.number != self._alert):
            log.write(snapshot.stamp_ns, f"alert {self._alert} stands no more", kind="alert")
        if alert is not None and alert.number != self._alert:
            log.write(snapshot.stamp_ns, f"alert {alert.number}: {alert.words} "
                      f"({alert.signal} {alert.value:.3g}, at most {alert.limit:.3g})",
                      kind="alert", level="WARN")
        self._alert = 0 if alert is None else alert.number

    def answer(self, answer: Answer) -> None:
        """Log a chunk of the policy and what it cost."""
        if self._policy is not None and self._log is not None:
            self._policy.answer(self._log, answer)

    def missed(self, stamp_ns: int, count: int) -> None:
        """Say how many messages of the station this process was too slow for, if it grew."""
        if count > self._missed and self._log is not None:
            self._log.write(stamp_ns, f"this view missed {count - self._missed} ticks; the "
                            "recording of the episode is not affected", kind="view", level="WARN")
        self._missed = count

    def close(self) -> None:
        """Send what is left."""
        if self._recording is not None:
            self._recording.flush(timeout_sec=2.0)
            self._recording.disconnect()

    def _meet_policy(self, policy: PolicyView) -> None:
        """A policy is there: draw it from now on, and make room for its plots."""
        assert self._recording is not None
        self._policy, self._absent = policy, None
        self._policy.begin(self._recording)
        self._arrange()

    def _arrange(self) -> None:
        assert self._recording is not None
        self._recording.send_blueprint(episode_blueprint(
            self._streams, scene=bool(self._model_xml), live=True,
            policy=self._policy is not None), make_active=True)

    def _begin(self, episode: str, started_ns: int | None) -> None:
        first = self._recording is None
        self.close()
        self._idle += not episode
        name = episode or f"between episodes {self._idle}"
        self._episode, self._instruction, self._problems = episode, "", ()
        self._recording = rr.RecordingStream(APPLICATION, recording_id=f"live {name}")
        self._recording.connect_grpc(self._url)
        if first:   # what somebody then arranges in a viewer stays for the session
            self._arrange()
        self._recording.send_recording_name(name)
        self._log = EpisodeLog(self._recording, self._streams, self._model_xml,
                               started_mono_ns=started_ns)
        if self._policy is not None:
            self._policy.begin(self._recording)


def merged(batches: Iterable[Batch]) -> list[Batch]:
    """One batch per stream, with the rows in the order in which they came."""
    by_stream: dict[str, list[Batch]] = {}
    for batch in batches:
        by_stream.setdefault(batch.stream, []).append(batch)
    return [Batch(name, np.concatenate([batch.rows for batch in parts]),
                  tuple(pictures for batch in parts for pictures in batch.images))
            for name, parts in by_stream.items()]


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: show the station until told to end.

    Raises:
        StationSilent: the robot's process does not answer.
        ViewerServerFailed: the server does not start, or has died.
    """
    told = msgspec.json.decode(config, type=RerunConfig)
    with open_context() as context, ViewerServer(life.clock, port=told.port,
                                                 memory_limit=told.memory_limit) as server:
        info = described_robot(context, told.links)
        streams = (tick_stream(info, told.rate_hz), *info.streams)
        dtypes = {spec.name: spec.row_dtype for spec in streams}
        ticks = LatestSubscriber(context, told.links.watch, BATCHES, capacity=BACKLOG)
        snapshots = LatestSubscriber(context, told.links.watch, SNAPSHOT)
        chunks = LatestSubscriber(context, told.links.chunks, CHUNK) if told.policy else None
        view = LiveView(server.url, streams, info.model_xml,
                        PolicyView(info) if told.policy else None)
        print(f"live view: rerun {server.url}", file=sys.stderr, flush=True)
        life.ready(server.url)
        try:
            while not life.wait_for_stop(COLLECT_S):
                if not server.alive:
                    raise ViewerServerFailed(f"the Rerun server has died: {server.said[-1:]}")
                if (frames := snapshots.newest()) is not None:
                    view.follow(unpack(frames[0], _snapshots))
                view.show([batch for message in ticks.drain()
                           for batch in decode_batches(message, dtypes)])
                if chunks is not None and (frames := chunks.newest()) is not None:
                    view.answer(decode_answer(frames))
                view.missed(life.clock.now_ns(), ticks.dropped)
                life.beat()
        finally:
            view.close()
            ticks.close()
            snapshots.close()
