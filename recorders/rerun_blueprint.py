"""How an episode is laid out in the Rerun viewer: cameras | 3-D | plots, states and the log below.

A pure function of what was declared, so that a robot with one camera or none, or without a force
sensor, gets no empty panes. Knows entity paths (rerun_entities.py); logs nothing.
"""

from collections.abc import Sequence

import rerun.blueprint as rrb

from recorders.rerun_entities import EPISODE, LOG, Plot, cameras, plots
from recorders.scene3d import WORLD
from recorders.streams import StreamSpec

BACKGROUND = (24, 26, 31)
# Beside the table, with the whole arm in view.
EYE_M, LOOK_AT_M = (1.30, -0.95, 0.85), (0.36, 0.0, 0.20)

# What a person looks at first; everything else that is drawn waits in the last tab.
_FIRST = ("joints/position", "contact/wrench", "commands/sent")
_BY_SOURCE = ("commands/human", "commands/policy", "commands/blended", "commands/sent")
# What a policy that drives says of itself; no stream carries it.
POLICY_PLOTS = ("policy/joint_targets", "policy/rates_hz", "policy/latent_age_ms", "policy/took_ms")
_TITLES = {
    "policy/joint_targets": "System 1: joint targets of its chunks",
    "policy/rates_hz": "Rates (Hz)",
    "policy/latent_age_ms": "Age of the latent (ms)",
    "policy/took_ms": "A chunk took (ms)",
    "joints/position": "Joints: measured",
    "joints/velocity": "Joints: velocity",
    "joints/effort": "Joints: effort",
    "contact/wrench": "Force (N) and torque (N m) at the wrist",
    "contact/touch": "Finger tips",
    "contact/button_force": "Button",
    "commands/human": "Command: human",
    "commands/policy": "Command: policy",
    "commands/blended": "Command: blended",
    "commands/sent": "Command: sent",
    "human/twist": "Human: twist",
    "human/raw": "Human: device axes",
    "station/lateness_ms": "Lateness of the control loop",
}


def episode_blueprint(streams: Sequence[StreamSpec], *, scene: bool = True,
                      live: bool = False, policy: bool = False) -> rrb.Blueprint:
    """The layout for recordings of these streams.

    Args:
        streams: what was declared; decides which panes there are.
        scene: whether there is a 3-D arm.
        live: follow the newest data instead of waiting at the start.
        policy: whether one drives.
    """
    columns: list[rrb.Container | rrb.View] = []
    shares: list[float] = []
    views = _camera_views(streams)
    if views:
        columns.append(rrb.Vertical(*views, name="Cameras"))
        shares.append(3)
    columns.append(rrb.Vertical(*([_scene_view(streams)] if scene else []), _state_view(),
                                row_shares=[5, 2] if scene else None, name="Robot"))
    shares.append(4)
    columns.append(rrb.Vertical(_plot_tabs(plots(streams), policy), _log_tabs(), row_shares=[5, 2],
                                name="Signals"))
    shares.append(5)
    return rrb.Blueprint(
        rrb.Horizontal(*columns, column_shares=shares),
        rrb.TimePanel(state="collapsed", timeline="episode_s",
                      play_state="following" if live else "paused"),
        rrb.BlueprintPanel(state="collapsed"), rrb.SelectionPanel(state="collapsed"),
        auto_layout=False, auto_views=False)


def _camera_views(streams: Sequence[StreamSpec]) -> list[rrb.Container | rrb.View]:
    """A pane per camera; its depth, if any, behind a tab."""
    by_camera: dict[str, list[rrb.View]] = {}
    for camera in cameras(streams):
        title = camera.stream if camera.image.name == "rgb" else (
            f"{camera.stream} {camera.image.name}")
        by_camera.setdefault(camera.entity, []).append(rrb.Spatial2DView(
            origin=camera.picture_entity, name=title, background=BACKGROUND))
    return [views[0] if len(views) == 1 else rrb.Tabs(*views, active_tab=0)
            for views in by_camera.values()]


def _scene_view(streams: Sequence[StreamSpec]) -> rrb.View:
    """The arm without the depth pictures, which would hang as clouds in front of it."""
    hidden = [f"- {camera.picture_entity}" for camera in cameras(streams)
              if camera.image.name != "rgb"]
    return rrb.Spatial3DView(
        origin=WORLD, contents=["+ $origin/**", *hidden], name="3-D", background=BACKGROUND,
        line_grid=False,
        eye_controls=rrb.EyeControls3D(position=EYE_M, look_target=LOOK_AT_M, eye_up=(0, 0, 1)))


def _state_view() -> rrb.View:
    return rrb.StateTimelineView(origin="state", name="Who drives, and in which state")


def _plot_tabs(drawn: Sequence[Plot], policy: bool) -> rrb.Container:
    entities = [plot.entity for plot in drawn]
    by_name = {plot.entity: plot for plot in drawn}
    tabs = [("Overview", [name for name in _FIRST if name in by_name]),
            ("Commands by source", [name for name in _BY_SOURCE if name in by_name]),
            ("Human", [name for name in entities if name.startswith("human/")]),
            ("More", [name for name in entities if not name.startswith("human/")
                      and name not in (*_FIRST, *_BY_SOURCE)])]
    shown = [rrb.Vertical(*[_plot_view(by_name[name]) for name in names], name=title)
             for title, names in tabs if names]
    if policy:
        shown.insert(0, rrb.Vertical(*[_series_view(entity, _TITLES[entity], legend=True)
                                       for entity in POLICY_PLOTS], name="Policy"))
    return rrb.Tabs(*shown, active_tab=0, name="Plots")


def _plot_view(plot: Plot) -> rrb.View:
    title = _TITLES.get(plot.entity, plot.entity)
    return _series_view(
        plot.entity, f"{title} ({plot.unit})" if plot.unit and "(" not in title else title,
        legend=len(plot.series) > 1)


def _series_view(entity: str, title: str, *, legend: bool) -> rrb.View:
    return rrb.TimeSeriesView(
        origin=entity, name=title,
        plot_legend=rrb.PlotLegend(rrb.Corner2D.LeftTop, visible=legend),
        axis_x=rrb.TimeAxis(link=rrb.components.LinkAxis.LinkToGlobal))


def _log_tabs() -> rrb.Container:
    return rrb.Tabs(
        rrb.TextLogView(origin=LOG, name="Log", columns=rrb.TextLogColumns(
            timeline_columns=["episode_s"], text_log_columns=["loglevel", "body"])),
        rrb.TextDocumentView(origin=EPISODE, name="Episode"), active_tab=0)
