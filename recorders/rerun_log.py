"""An episode in Rerun: the same logging for the live view and for a file.

Knows which entity shows which column (rerun_entities.py) and how the arm is drawn (scene3d.py).
A call costs about the same for one row as for fifty, so hand over a few ticks at once.

Knows neither where the recording goes (file, server) nor who calls it. It belongs in a process of
its own or behind an episode, never in the control loop.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import rerun as rr

from recorders.rerun_cameras import CameraLog
from recorders.rerun_entities import LOG, NO_BITS, Lane, Plot, cameras, lanes, plots
from recorders.rerun_times import Thinner, Timelines
from recorders.scene3d import BodyMotion, Scene3D, SceneUnreadable
from recorders.streams import Batch, Column, StreamSpec

SCENE_HZ = 30.0                 # as fast as a screen shows it
REPEAT_NS = 1_000_000_000       # a state that flickers is written down once a second at most
POSITION, STATE = ("arm", "position"), ("sim", "state")     # what the 3-D arm is placed by


class EpisodeLog:
    """Logs one episode into one recording.

    Args:
        recording: where to; has its sink already.
        streams: all that may be handed to `log`.
        model_xml: MJCF of the robot and its scene, or empty: then there is no 3-D arm.
        started_mono_ns: zero of the timeline `episode_s`; None takes the first stamp seen.
    """

    def __init__(
        self,
        recording: rr.RecordingStream,
        streams: Sequence[StreamSpec],
        model_xml: str = "",
        *,
        started_mono_ns: int | None = None,
    ) -> None:
        self._recording = recording
        self._streams = {spec.name: spec for spec in streams}
        self._times = Timelines(started_mono_ns)
        self._plots = _by_stream(plots(streams))
        self._lanes = _by_stream(lanes(streams))
        self._cameras = [(camera.stream, CameraLog(recording, self._times, camera))
                         for camera in cameras(streams)]
        self._state: dict[str, str] = {}                        # lane -> what it shows now
        self._written_ns: dict[tuple[str, str], int] = {}       # (lane, state) -> when last
        self._scene = self._open_scene(model_xml) if model_xml else None
        self._scene_rate = Thinner(SCENE_HZ)
        self._log_styles()

    def log(self, batches: Iterable[Batch]) -> None:
        """Log rows and pictures; batches of a stream must come in the order of their stamps.

        Raises:
            KeyError: for a stream that was not declared.
        """
        filled = [batch for batch in batches if len(batch.rows)]
        for batch in filled:
            if batch.stream not in self._streams:
                raise KeyError(f"stream '{batch.stream}' was not declared: "
                               f"valid are {', '.join(sorted(self._streams))}")
        self._times.note(filled)
        for batch in filled:
            for plot in self._plots.get(batch.stream, ()):
                self._log_plot(plot, batch.rows)
            for lane in self._lanes.get(batch.stream, ()):
                self._log_lane(lane, batch.rows)
            for stream, camera in self._cameras:
                if stream == batch.stream:
                    camera.log(batch)
            self._log_scene(batch)

    def write(self, stamp_ns: int, text: str, *, kind: str = "event", level: str = "INFO") -> None:
        """Write a line into the log: an event, a problem, an instruction.

        Args:
            stamp_ns: when it happened (monotonic).
            text: one sentence.
            kind: what it is about: "event", "instruction", "problem", …
            level: "INFO", "WARN" or "ERROR".
        """
        self._recording.send_columns(f"{LOG}/{kind}", self._times.at(stamp_ns),
                                     rr.TextLog.columns(text=[text], level=[level]))

    def send(self, entity: str, stamps_ns: np.ndarray, columns: Iterable[rr.ComponentColumn]
             ) -> None:
        """Log what no stream carries, at stamps (N,)."""
        self._recording.send_columns(entity, self._times.columns(stamps_ns), columns)

    def state(self, stamp_ns: int, lane: str, value: str) -> None:
        """Show a state that no stream carries (the task's phase, say) from this moment on."""
        if self._state.get(lane) != value:
            self._state[lane] = value
            self._recording.send_columns(f"state/{lane}", self._times.at(stamp_ns),
                                         rr.StateChange.columns(state=[value]))

    def place_again(self) -> None:
        """Log where every body is with the next rows, also of those that stand still.

        A live server forgets what is old, and whoever came later would see no arm at rest.
        """
        if self._scene is not None:
            self._scene.forget()

    def _open_scene(self, model_xml: str) -> Scene3D | None:
        try:
            scene = Scene3D(model_xml)
        except SceneUnreadable as error:    # plots and pictures are worth having without it
            self._recording.log(f"{LOG}/problem", rr.TextLog(f"no 3-D view: {error}", level="WARN"),
                                static=True)
            return None
        scene.log_geometry(self._recording)
        state, position = self._column(*STATE), self._column(*POSITION)
        self._has_state = state is not None and state.shape in {(n,) for n in scene.state_sizes}
        self._joint_names = position.names if position else ()
        return scene

    def _log_styles(self) -> None:
        for plot in (plot for group in self._plots.values() for plot in group):
            self._recording.log(plot.entity, rr.SeriesLines(
                names=plot.series, colors=plot.colours, widths=[1.5] * len(plot.series)),
                static=True)
        for lane in (lane for group in self._lanes.values() for lane in group):
            self._recording.log(lane.entity, rr.StateConfiguration(
                values=list(lane.states), labels=list(lane.states),
                colors=list(lane.states.values())), static=True)

    def _column(self, stream: str, name: str) -> Column | None:
        """A declared column, if there is one."""
        columns = self._streams[stream].columns if stream in self._streams else ()
        return next((column for column in columns if column.name == name), None)

    def _log_plot(self, plot: Plot, rows: np.ndarray) -> None:
        values = rows[plot.column].reshape(len(rows), -1).astype(np.float64)          # (N, S)
        silent = np.asarray(np.isnan(values).all(axis=1))                             # (N,)
        # Of rows in which nobody said anything only the first is sent: it ends the line.
        sent = ~silent | ~np.concatenate([[False], silent[:-1]])
        if sent.any():
            self._recording.send_columns(
                plot.entity, self._times.columns(rows["t_mono_ns"][sent]),
                rr.Scalars.columns(scalars=plot.scale * values[sent]))

    def _log_lane(self, lane: Lane, rows: np.ndarray) -> None:
        stamps: list[int] = []
        states: list[str] = []
        for stamp_ns, codes in zip(rows["t_mono_ns"], rows[lane.column], strict=True):
            state = lane.describe(codes)
            if self._state.get(lane.entity) != state:
                self._state[lane.entity] = state
                stamps.append(int(stamp_ns))
                states.append(state)
        if stamps:
            self._recording.send_columns(lane.entity, self._times.columns(np.array(stamps)),
                                         rr.StateChange.columns(state=states))
        for stamp_ns, state in zip(stamps, states, strict=True):
            last_ns = self._written_ns.get((lane.entity, state))
            if state != NO_BITS and (last_ns is None or stamp_ns - last_ns >= REPEAT_NS):
                self._written_ns[lane.entity, state] = stamp_ns
                self.write(stamp_ns, f"{lane.column}: {state}", kind=lane.column)

    def _log_scene(self, batch: Batch) -> None:
        """Place the bodies: by the simulator's state, or else by the arm's joints."""
        if self._scene is None:
            return
        stream, column = STATE if self._has_state else POSITION
        if batch.stream != stream or column not in (batch.rows.dtype.names or ()):
            return
        shown = self._scene_rate.shown(batch.rows["t_mono_ns"])
        rows = batch.rows[shown]
        moved: list[BodyMotion] = (
            self._scene.motion_of_states(rows[column]) if self._has_state
            else self._scene.motion(self._joint_names, rows[column]))
        for body in moved:
            self._recording.send_columns(
                body.entity, self._times.columns(rows["t_mono_ns"][body.frames]),
                rr.Transform3D.columns(translation=body.translations,
                                       quaternion=np.roll(body.quaternions, -1, axis=1)))


def _by_stream[T: (Plot, Lane)](items: Sequence[T]) -> Mapping[str, list[T]]:
    grouped: dict[str, list[T]] = {}
    for item in items:
        grouped.setdefault(item.stream, []).append(item)
    return grouped
