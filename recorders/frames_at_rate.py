"""An episode as frames at one fixed rate, for formats that know only one rate.

Streams are recorded at their own rates with the stamps at which samples arrived. Here they are laid
on a grid: a frame's moment is the grid's, moved to the nearest picture of the first camera if one
is less than half a frame away (a camera's jitter then neither doubles nor skips a picture).
Everything observed is the newest of that moment or before, a device's measured latency taken off,
that had arrived when the first camera's picture did; the action is what the robot had
been told by the *next* frame, as the field's recorders mean it: what to do from here on. Its last
number, the gripper, is the one that was wanted: the one sent glides towards it.
This file knows streams and time. It knows no other format and no files.
"""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from recorders import align
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader, StreamReader
from recorders.store_errors import StoreError

# A corrective command that differs by less is the one that was given.
_SAME_COMMAND = 1e-3


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """N frames of one episode. D = degrees of freedom.

    Attributes:
        moments_ns: (N,) monotonic stamps, 1/rate apart but for the jitter of the first camera.
        residuals_ns: stream to the largest distance between a frame's time, k/rate from the first,
            and the stamp of what was taken for it; of the action's stream, from the next frame.
        picture_rows: camera to (N,) rows of its pictures.
        state: (N, D) f4, the newest of the arm that had arrived.
        action: (N, D) f4, what had been sent one frame later; the gripper as it was wanted then.
        perturbed: (N,) bool, True where the operator erred on purpose between this frame and the
            next, so that the action is no example.
        intervention: (N,) bool, True where a person had the arm, or a part of it, of a policy.
        instructions: N texts, each as it held at its moment.
    """

    moments_ns: np.ndarray
    residuals_ns: dict[str, int]
    picture_rows: dict[str, np.ndarray]
    state: np.ndarray
    action: np.ndarray
    perturbed: np.ndarray
    intervention: np.ndarray
    instructions: list[str]


def frames_at_rate(
    episode: EpisodeReader, cameras: Sequence[str], rate_hz: float, instruction: str | None = None,
    picture: str = "rgb", state: tuple[str, str] = ("arm", "position"),
    action: tuple[str, str] = ("tick", "sent"),
) -> Frames:
    """Lay an episode on a grid of fixed rate.

    Args:
        episode: what was recorded.
        cameras: whose pictures are wanted; the first one's stamps are the ones kept to.
        rate_hz: frames in a second.
        instruction: what the store's log says was asked for at the beginning; by default what the
            recording says.
        picture: which picture of the cameras.
        state, action: stream and column.

    Raises:
        StoreError: if a stream is missing, or numbers are NaN or infinite, naming the row; or if
            the episode is too short for two frames, or the rate is none.
    """
    if rate_hz <= 0:
        raise StoreError(f"{rate_hz:g} frames in a second are none: give more than 0, such as 30")
    _require(episode, [(camera, picture) for camera in cameras] + [state, action])
    step_ns = NS_PER_S / rate_hz
    seen = [*cameras, state[0]]
    waited_ns = episode[cameras[0]].spec.latency_ns if cameras else 0
    complete_ns = max(*(max(int(episode[name].taken_ns[0]),
                            int(episode[name].stamps_ns[0]) - waited_ns) for name in seen),
                      int(episode[action[0]].stamps_ns[0]) - round(step_ns))    # the next frame's
    pictures_ns = episode[cameras[0]].taken_ns if cameras else np.zeros(0, np.int64)
    begin_ns = int(pictures_ns[pictures_ns >= complete_ns][:1].max(initial=complete_ns))
    end_ns = min(int(episode[name].taken_ns[-1]) for name in [*seen, action[0]])
    count = int((end_ns - begin_ns + 1) // step_ns) + 1     # stamps are rounded
    if count < 2:
        raise StoreError(f"episode {episode.episode} is shorter than two frames at {rate_hz:g} Hz: "
                         f"leave it out")
    grid_ns = begin_ns + np.round(step_ns * np.arange(count)).astype(np.int64)
    moments_ns = _snapped(grid_ns, pictures_ns, step_ns) if cameras else grid_ns
    next_ns = moments_ns + round(step_ns)
    states, sent = _numbers(episode, state), _numbers(episode, action)
    actions = align.interpolate(episode[action[0]].stamps_ns, sent, next_ns)
    actions[:, -1] = wanted_gripper(episode[action[0]], sent[:, -1])[
        align.latest_before(episode[action[0]].stamps_ns, next_ns)]
    rows = {name: align.latest_before(episode[name].taken_ns, moments_ns)
            if name in cameras[:1] else episode[name].known_at(moments_ns, waited_ns)
            for name in seen}
    commands_ns = episode[action[0]].stamps_ns
    taken_ns = {name: episode[name].taken_ns[row] - grid_ns for name, row in rows.items()}
    taken_ns[action[0]] = (commands_ns[align.nearest(commands_ns, next_ns)]
                           - grid_ns - round(step_ns))
    return Frames(
        moments_ns=moments_ns,
        residuals_ns={name: int(np.abs(apart).max()) for name, apart in taken_ns.items()},
        picture_rows={camera: rows[camera] for camera in cameras},
        state=states[rows[state[0]]].astype("f4"),
        action=actions.astype("f4"),
        perturbed=_any_between(episode, perturbed_ticks, moments_ns, next_ns),
        intervention=_any_between(episode, intervened_ticks, moments_ns, next_ns),
        instructions=instructions_at(episode, moments_ns, instruction))


def instructions_at(
    episode: EpisodeReader, moments_ns: np.ndarray, instruction: str | None = None
) -> list[str]:
    """What was being asked for at every moment, edits included."""
    edits = [event for event in episode.events
             if event["kind"] == "instruction" and "after" in event]
    texts = [episode.instruction if instruction is None else instruction]
    texts += [edit["after"] for edit in edits]
    stamps_ns = np.array([edit["t_mono_ns"] for edit in edits], dtype=np.int64)
    return [texts[row + 1] for row in align.latest_before(stamps_ns, moments_ns)]


def wanted_gripper(tick: StreamReader, sent: np.ndarray) -> np.ndarray:
    """(N,) the gripper that was asked for in every tick, where it is known; else the one sent."""
    if "blended" not in tick:
        return sent
    blended = tick.column("blended")[:, -1]
    return np.where(np.isfinite(blended), blended, sent)


def perturbed_ticks(tick: StreamReader) -> np.ndarray:
    """(N,) bool: the ticks in which the operator erred on purpose and said what is right.

    A command is clean if `human_corrective` is NaN or equals what was commanded. Imported episodes
    say it themselves, in a column `perturbed`.
    """
    if "perturbed" in tick:
        return tick.column("perturbed").astype(bool)
    if "human_corrective" not in tick:
        return np.zeros(len(tick), dtype=bool)
    right = tick.column("human_corrective")                                     # (N, 7)
    given = np.column_stack([tick.column("human_twist"), tick.column("human_gripper")])
    return np.any(np.isfinite(right) & (np.abs(right - given) > _SAME_COMMAND), axis=1)


def intervened_ticks(tick: StreamReader) -> np.ndarray:
    """(N,) bool: the ticks in which a person had stepped in while a policy drove."""
    if "intervention" not in tick:
        return np.zeros(len(tick), dtype=bool)
    return tick.column("intervention") > 0


def _snapped(grid_ns: np.ndarray, stamps_ns: np.ndarray, step_ns: float) -> np.ndarray:
    """Grid moments, moved to the nearest stamp that is less than half a step away."""
    near_ns = stamps_ns[align.nearest(stamps_ns, grid_ns)]
    return np.where(np.abs(near_ns - grid_ns) * 2 < step_ns, near_ns, grid_ns)


def _any_between(
    episode: EpisodeReader, which: Callable[[StreamReader], np.ndarray], from_ns: np.ndarray,
    to_ns: np.ndarray,
) -> np.ndarray:
    """(N,) bool: whether such a tick lies after from_ns[i] and not after to_ns[i]."""
    if "tick" not in episode:
        return np.zeros(len(from_ns), dtype=bool)
    tick = episode["tick"]
    so_far = np.concatenate([[0], np.cumsum(which(tick))])
    first, last = (align.latest_before(tick.stamps_ns, moment) + 1 for moment in (from_ns, to_ns))
    return np.greater(so_far[last], so_far[first])


def _numbers(episode: EpisodeReader, where: tuple[str, str]) -> np.ndarray:
    values = episode[where[0]].column(where[1])
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        raise StoreError(f"episode {episode.episode}: '{where[0]}/{where[1]}' is not a number in "
                         f"row {int(np.argmax(bad))}: put the episode into the trash, or leave "
                         f"it out")
    return values


def _require(episode: EpisodeReader, wanted: Sequence[tuple[str, str]]) -> None:
    for stream, name in wanted:
        if stream not in episode:
            raise StoreError(f"episode {episode.episode} has no stream '{stream}': it has "
                             f"{', '.join(episode.streams)}")
        if name not in episode[stream]:
            there = (*episode[stream].column_names[4:], *episode[stream].image_names)
            raise StoreError(f"episode {episode.episode} has no '{stream}/{name}': there are "
                             f"{', '.join(there)}")
        if len(episode[stream]) == 0:
            raise StoreError(f"episode {episode.episode}: stream '{stream}' is empty: leave the "
                             f"episode out")
