"""One recorded episode as a policy learns from it: arrays at the moments of its pictures.

A moment is the stamp of a picture of the first camera. Everything but the pictures is worked out
here, once, when the episode is opened (a few milliseconds); pictures stay in their shards and only
their rows are noted. What was said at each moment is worked out in labels.py. Knows a station's
streams; knows no batches and no tensors.

Letters: M moments, P numbers of proprioception, H steps, T numbers of a target, A of an action, E
edits of the instruction.
"""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from policy.actions import actions_between
from policy.data.commands import base_at, command_columns, steps_valid, targets_at
from policy.data.labels import labels_of
from policy.data.next_event import next_event
from policy.data.proprioception import PARTS, proprioception, require_parts
from policy.data.signals import (
    EpisodeSignals,
    MissingSignal,
    Signals,
    has_column,
    latest,
    require_columns,
)
from policy.data.whose import Whose, changes_ns, went_back, whose_at
from policy.interfaces import PolicySpec
from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader
from recorders.streams import ImageField, StreamSpec

DEPTH = "depth"


class Demonstration(msgspec.Struct, frozen=True, kw_only=True):
    """An episode at its M moments; nothing is normalised.

    Attributes:
        episode: its recording; pictures are read from it.
        summary: what the store's log says about it.
        moments_ns: (M,) ascending.
        picture_rows: camera to (M,) rows of its newest picture at each moment.
        proprioception: (M, P) f4.
        base: (M, T) the last command.
        actions: (M, H, A) f4.
        action_valid: (M, H) f4, 0 where a step is no example to follow.
        event: (M, 3) f4 m, where the tool is at the next event.
        event_valid: (M,) f4.
        tool: (M, 3) f4 m, where it is now; (0, 3) for a robot that does not know.
        segment_begin: (M,) the first moment under the same instruction, since one last went back.
        oldest: (M,) the first moment from which System 2's words may still be followed.
        whose: (M,) u1, see whose.py.
        instructions: E + 1 texts; `segment` (M,) says which holds.
        phrases: what System 2 should say; `phrase` (M,) says which and when.
        told: (M,) bool, where a person said what is to be done in System 2's place.
    """

    episode: EpisodeReader
    summary: EpisodeSummary
    moments_ns: np.ndarray
    picture_rows: dict[str, np.ndarray]
    proprioception: np.ndarray
    base: np.ndarray
    actions: np.ndarray
    action_valid: np.ndarray
    event: np.ndarray
    event_valid: np.ndarray
    tool: np.ndarray
    segment_begin: np.ndarray
    oldest: np.ndarray
    whose: np.ndarray
    instructions: tuple[str, ...]
    segment: np.ndarray
    phrases: tuple[str, ...]
    phrase: np.ndarray
    told: np.ndarray

    def __len__(self) -> int:
        return len(self.moments_ns)

    def instruction_at(self, moment: int) -> str:
        """The words that held at the moment-th moment."""
        return self.instructions[self.segment[moment]]

    def subtask_at(self, moment: int) -> str:
        """What was being done at the moment-th moment, in words."""
        return self.phrases[self.phrase[moment]]


def read_demonstration(
    episode: EpisodeReader, summary: EpisodeSummary, spec: PolicySpec
) -> Demonstration:
    """Work an episode out.

    Args:
        episode: its recording.
        summary: what the store's log says about it; its instruction counts.
        spec: what the policy wants to see and how it answers.

    Raises:
        MissingSignal: if the episode lacks a camera or a column; the message lists what it has.
        ValueError: naming episode, column and row, if a number that is needed is not finite.
        DamagedRecording: naming the file that cannot be read.
    """
    who = f"episode {episode.episode}"
    signals = EpisodeSignals(episode)
    require_streams(spec, signals.streams, who)
    _require_finite(spec, signals, who)
    moments_ns, rows = _moments(spec, episode, who)
    said = labels_of(episode, summary, moments_ns)
    edits_ns, segment = said.edits_ns, said.segment
    steps_ns = moments_ns[:, None] + spec.step_ns * np.arange(1, spec.steps + 1)    # (M, H)
    base = base_at(signals, moments_ns, spec.action_space)
    targets = targets_at(signals, steps_ns, spec.action_space)                      # (M, H, T)
    back_ns = went_back(signals)[0]
    event, event_valid = next_event(signals, moments_ns, np.union1d(edits_ns, back_ns),
                                    spec.step_ns)
    ends_ns = np.concatenate([edits_ns, changes_ns(signals)])       # of what one example shows
    valid = steps_valid(signals, moments_ns, spec.steps, spec.step_ns, ends_ns)
    scene = segment + np.searchsorted(back_ns, moments_ns, side="right")    # another one each time
    begin = np.searchsorted(scene, scene, side="left")
    return Demonstration(
        episode=episode, summary=summary, moments_ns=moments_ns, picture_rows=rows,
        proprioception=proprioception(spec.proprioception, signals, moments_ns),
        base=base,
        actions=actions_between(base, targets, spec.action_space).astype(np.float32),
        action_valid=valid.astype(np.float32),
        event=event.astype(np.float32), event_valid=event_valid.astype(np.float32),
        tool=_tool(signals, moments_ns),
        segment_begin=begin, oldest=said.oldest(begin), whose=whose_at(signals, moments_ns),
        instructions=said.instructions, segment=segment, phrases=said.phrases, phrase=said.phrase,
        told=said.told)


def parts_by(one: Demonstration, whose: Iterable[Whose]) -> Demonstration:
    """The same, with nothing left to follow but what these did in it."""
    theirs = np.isin(one.whose, [*whose])
    if theirs.all():
        return one
    return msgspec.structs.replace(
        one, action_valid=np.where(theirs[:, None], one.action_valid, np.float32(0)),
        event_valid=np.where(theirs, one.event_valid, np.float32(0)))


def without_told(one: Demonstration) -> Demonstration:
    """The same, with nothing for System 1 to follow where a person told it what to do.

    What it did then was right for the words that it heard, but it was the policy's own doing: the
    person corrected System 2, not it (YAY Robot, arXiv 2403.12910, trains the high level only).
    """
    if not one.told.any():
        return one
    return msgspec.structs.replace(
        one, action_valid=np.where(one.told[:, None], np.float32(0), one.action_valid),
        event_valid=np.where(one.told, np.float32(0), one.event_valid))


def require_streams(spec: PolicySpec, streams: Sequence[StreamSpec], who: str) -> None:
    """Refuse an episode, or a robot, that cannot give what a policy wants.

    Args:
        spec: what it wants.
        streams: of the episode; of a robot, with the control loop's `tick`.
        who: "this robot" or "episode …", for the message.

    Raises:
        ValueError: in one sentence that lists what there is.
    """
    if not spec.cameras:
        raise ValueError("a policy needs at least one camera: its pictures set the moments")
    first = next(iter(spec.cameras))
    wanted = list(spec.cameras.items()) + ([(first, DEPTH)] if spec.cloud_points else [])
    for camera, picture in wanted:
        if find_image(streams, camera, picture) is None:
            there = ", ".join(f"{one.name}/{image.name}" for one in streams for image in one.images)
            raise MissingSignal(f"the policy wants pictures of {camera}/{picture}, but {who} has "
                                f"only {there or 'no camera'}")
    if columns := cloud_columns(spec):
        require_columns(columns, streams, who, dict.fromkeys(columns, "the point cloud"))
    columns = command_columns(spec.action_space)
    require_columns(columns, streams, who,
                    dict.fromkeys(columns, f"action space '{spec.action_space}'"))
    require_parts(spec.proprioception, streams, who)


def find_image(
    streams: Sequence[StreamSpec], camera: str, picture: str
) -> ImageField | None:
    """How a camera declares a picture; None if it does not."""
    return next((image for one in streams if one.name == camera
                 for image in one.images if image.name == picture), None)


def cloud_columns(spec: PolicySpec) -> list[tuple[str, str]]:
    """What says where a policy's point cloud lies; nothing for one without."""
    camera = next(iter(spec.cameras), "")
    return [(camera, column) for column in ("world_from_camera", "intrinsics")] \
        if spec.cloud_points else []


def _require_finite(spec: PolicySpec, signals: Signals, who: str) -> None:
    # Other columns of `tick` are NaN where nobody spoke; these must always be said.
    columns = {*command_columns(spec.action_space), *cloud_columns(spec),
               *(column for part in spec.proprioception for column in PARTS[part].columns)}
    ticks_ns, _ = signals.series(*next(iter(command_columns(spec.action_space))))
    for stream, column in sorted(columns):
        stamps_ns, values = signals.series(stream, column)
        sound = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if not sound.all():
            row = int(np.argmin(sound))
            step = max(int(np.searchsorted(ticks_ns, stamps_ns[row], "right")) - 1, 0)
            raise ValueError(f"{who}, step {step} ({stream}/{column}, row {row}): not a finite "
                             f"number; put the episode into the trash, or record it again")


def _moments(
    spec: PolicySpec, episode: EpisodeReader, who: str
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    first = next(iter(spec.cameras))
    moments_ns, waited_ns = episode[first].taken_ns, episode[first].spec.latency_ns
    rows = {}
    for camera in spec.cameras:
        if len(episode[camera]) == 0:
            raise MissingSignal(f"{who} has no picture of '{camera}'")
        rows[camera] = np.arange(len(moments_ns)) if camera == first \
            else np.maximum(episode[camera].known_at(moments_ns, waited_ns), 0)
    return moments_ns, rows


def _tool(signals: Signals, moments_ns: np.ndarray) -> np.ndarray:
    if not has_column(signals.streams, "arm", "tool_pose"):
        return np.zeros((0, 3), np.float32)
    return latest(signals, "arm", "tool_pose", moments_ns)[:, :3].astype(np.float32)
