"""One episode of a policy that is asked frame by frame for joint positions, as LeRobot asks.

Between two frames it ticks what drives at the station: the two speeds, the player that joins chunks
and the limiter of speed, acceleration and jerk. Time is the frames': System 2 runs within a frame
that waits for it. Knows policies and the station's player; knows neither LeRobot nor torch.

Letters: D joints + gripper.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from policy.data.pictures import prepare_picture
from policy.data.point_cloud import point_cloud, prepare_depth
from policy.data.proprioception import proprioception
from policy.driving.two_speeds import Pace, TwoSpeeds
from policy.interfaces import Observation, Policy
from recorders.clock import NS_PER_S
from recorders.streams import StreamSpec
from studio.devices.interfaces import RobotInfo
from studio.station.chunks.decided import held_of
from studio.station.chunks.player import ChunkPlayer
from studio.station.loop.kinematics import ArmKinematics
from studio.station.loop.safety import MotionLimiter, SafetyLimits, limits_for

TICK_HZ, BEGINS_NS = 100, NS_PER_S
DEPTH_UNIT_M = 0.001        # of a count, as LeRobot's depth pictures


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy is shown of one frame.

    Attributes:
        position: (D,) rad, the gripper 0..1.
        pictures: camera to (H, W, 3) u1.
        senses: "touch" (2,) N, "wrench" (6,) N and N m, and where the first camera stands (11,).
        depth: (H, W) u2 mm of the first camera, or None.
        instruction: the words.
    """

    position: np.ndarray
    pictures: Mapping[str, np.ndarray]
    senses: Mapping[str, np.ndarray]
    depth: np.ndarray | None
    instruction: str


class FrameDriver:
    """Drives one arm through one episode.

    Args:
        policy: reset here; used by nobody else during the episode.
        info: of the robot.
        pace: of the two systems, in steps of the policy, however long a frame is.
        frame_s: between two frames.
        seed: of the chunks' noise, and of which points of the cloud are seen.
    """

    def __init__(self, policy: Policy, info: RobotInfo, pace: Pace, frame_s: float,
                 seed: int = 0) -> None:
        self._kinematics, self._spec = ArmKinematics(info), policy.spec
        limits = limits_for(info, SafetyLimits())
        self._limiter = MotionLimiter(info, limits, self._kinematics, 1 / TICK_HZ)
        self._player = ChunkPlayer(self._kinematics, len(info.joint_names), limits, 1 / TICK_HZ)
        self._speeds = TwoSpeeds(policy, pace)
        self._speeds.held = lambda observation, epoch: held_of(
            self._player.decided(), observation, epoch, policy.spec)
        self._speeds.reset(seed)
        self._rng = np.random.default_rng(seed)
        self._frame_ns, self._frames, self._words_id = round(frame_s * NS_PER_S), 0, 0
        self._words: str | None = None
        self._ticked_ns = BEGINS_NS

    def act(self, frame: Frame) -> np.ndarray:
        """(D,) where the joints shall be by the next frame."""
        now_ns = BEGINS_NS + self._frames * self._frame_ns
        if self._frames == 0:
            self._limiter.start_from(np.asarray(frame.position, float))
        self._speeds.observe(self._observation(frame, now_ns), now_ns)
        if (chunk := self._speeds.chunk(now_ns)) is not None:
            self._player.offer(chunk)
        self._frames += 1
        while self._ticked_ns + NS_PER_S // TICK_HZ <= now_ns + self._frame_ns:
            self._ticked_ns += NS_PER_S // TICK_HZ
            self._limiter.step(self._player.wish(self._ticked_ns, self._limiter.position, 0))
        return self._limiter.position.copy()

    def _observation(self, frame: Frame, now_ns: int) -> Observation:
        spec, sent = self._spec, self._limiter.position
        pictures = {camera: prepare_picture(frame.pictures[camera], spec.picture_size)
                    for camera in spec.cameras}
        sent_tool = self._kinematics.forward(sent)
        signals = _OneMoment(now_ns, {
            ("arm", "position"): frame.position,
            ("arm", "tool_pose"): self._kinematics.forward(frame.position),
            ("tick", "sent"): sent, ("tick", "sent_tool"): sent_tool,
            **{("contact", name): value for name, value in frame.senses.items()}})
        if frame.instruction != self._words:
            self._words_id += self._words is not None
            self._words = frame.instruction
        return Observation(
            stamp_ns=now_ns, images=pictures, instruction=frame.instruction,
            proprioception=proprioception(spec.proprioception, signals, np.array([now_ns]))[0],
            base=(sent.copy() if spec.action_space == "joints"
                  else np.append(sent_tool, sent[-1])),
            instruction_id=self._words_id, cloud=self._cloud(frame, pictures))

    def _cloud(self, frame: Frame, pictures: Mapping[str, np.ndarray]) -> np.ndarray | None:
        if not self._spec.cloud_points or frame.depth is None:
            return None
        first = next(iter(self._spec.cameras))
        stands = frame.senses[f"{first}_camera"]
        return point_cloud(
            prepare_depth(frame.depth, self._spec.picture_size), pictures[first], stands[:7],
            stands[7:], frame.depth.shape, DEPTH_UNIT_M, self._spec.cloud_points, self._rng)


class _OneMoment:
    """Columns of which one value is known; see policy/data/signals.py."""

    def __init__(self, stamp_ns: int, values: Mapping[tuple[str, str], np.ndarray]) -> None:
        self.streams: Sequence[StreamSpec] = ()
        self._stamps_ns, self._values = np.array([stamp_ns]), values

    def series(self, stream: str, column: str) -> tuple[np.ndarray, np.ndarray]:
        """(1,) stamp and (1, …) value."""
        return self._stamps_ns, np.asarray(self._values[stream, column])[None]
