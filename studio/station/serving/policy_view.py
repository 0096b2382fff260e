"""What a policy is up to, in Rerun: the chunk ahead of the tool, its joints, sub-task, ages, rates.

Draws System 1's newest chunk as a line in the 3-D view and, solved for the arm, as joint targets at
their own times: points that the commanded line should run through. Knows entity paths and
kinematics; knows no socket and no policy.
"""

import numpy as np
import rerun as rr

from policy.interfaces import Chunk
from recorders.rerun_blueprint import POLICY_PLOTS
from recorders.rerun_log import EpisodeLog
from recorders.scene3d import WORLD
from studio.devices.interfaces import RobotInfo
from studio.station.loop.kinematics import ArmKinematics
from studio.station.messages import PolicyHealth
from studio.station.serving.policy_link import Answer

CHUNK_LINE = f"{WORLD}/chunk"
COLOUR = (0, 158, 115)      # of the policy, wherever it appears
POSE = 7
SOLVES = 3                  # of inverse kinematics, from one target to the next
STEP_S = 0.03               # of such a solve

_JOINTS, _RATES, _AGE, _ACT = POLICY_PLOTS


class PolicyView:
    """Draws into the recording of an episode.

    Args:
        info: of the robot.
    """

    def __init__(self, info: RobotInfo) -> None:
        self._kinematics, self._names = ArmKinematics(info), info.joint_names
        self._joints: np.ndarray | None = None

    def begin(self, recording: rr.RecordingStream) -> None:
        """Another recording: say how things look."""
        recording.log(_JOINTS, rr.SeriesPoints(names=self._names, marker_sizes=[2.0]), static=True)
        recording.log(_RATES, rr.SeriesLines(names=["System 1", "System 2"]), static=True)
        recording.log(_AGE, rr.SeriesLines(names=["latent"]), static=True)
        recording.log(_ACT, rr.SeriesLines(names=["System 1", "from picture to chunk"]),
                      static=True)

    def moved(self, position: np.ndarray) -> None:
        """Where the arm is, (D,)."""
        self._joints = position

    def answer(self, log: EpisodeLog, answer: Answer) -> None:
        """Draw a chunk, at the moment of its observation, and what it took to make."""
        chunk, took = answer.chunk, answer.timings
        joints = self._in_joints(chunk)
        tool = chunk.targets[:, :3] if chunk.space == "tool" else np.array(
            [self._kinematics.forward(row)[:3] for row in chunk.targets])           # (H, 3)
        seen_ns = np.array([chunk.observation_ns])
        log.send(CHUNK_LINE, seen_ns, rr.LineStrips3D.columns(
            strips=[tool], colors=[COLOUR], radii=[0.002]))
        log.send(_ACT, seen_ns, rr.Scalars.columns(
            scalars=np.array([[took.act_ms, took.answer_ms]])))
        if joints is not None:
            times_ns = chunk.first_ns + chunk.step_ns * np.arange(len(joints), dtype=np.int64)
            log.send(_JOINTS, times_ns, rr.Scalars.columns(scalars=joints))

    def health(self, log: EpisodeLog, stamp_ns: int, health: PolicyHealth) -> None:
        """Show the sub-task; plot rates and the age of the latent."""
        said = (health.subtask or "nothing yet") if health.understood else "not understood"
        log.state(stamp_ns, "sub-task", said if health.alive else "the policy is silent")
        now_ns = np.array([stamp_ns])
        log.send(_RATES, now_ns, rr.Scalars.columns(
            scalars=np.array([[health.system1_hz, health.system2_hz]])))
        log.send(_AGE, now_ns, rr.Scalars.columns(scalars=np.array([health.latent_age_ms])))

    def _in_joints(self, chunk: Chunk) -> np.ndarray | None:
        """(H, D) joints that reach the targets one after the other; None before the arm spoke."""
        if chunk.space == "joints" or self._joints is None:
            return np.array(chunk.targets) if chunk.space == "joints" else None
        near, found = self._joints, np.empty((len(chunk.targets), len(self._joints)))
        for row, target in zip(found, chunk.targets, strict=True):
            for _ in range(SOLVES):
                near = self._kinematics.inverse(near, target[:POSE], STEP_S)
            row[:-1], row[-1] = near[:-1], target[-1]
        return found
