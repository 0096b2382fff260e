"""What changes by itself on the pages: one small answer, asked for several times a second.

desk.js puts the pieces where they belong. Plain requests instead of Gradio's queue, because a page
that is only looked at must cost next to nothing, and because a desk that is gone must be noticed.
Knows the feed and the library; refuses to send commands.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from studio.devices.interfaces import DeviceError
from studio.station.desk.link import DeskState
from studio.station.messages import Mode, Snapshot
from studio.station.robots import tasks_of
from studio.views import problems
from studio.views.alert_lamp import alert_lamp
from studio.views.banner import Banner, banner_of
from studio.views.camera_words import why_old
from studio.views.health_bar import gauges
from studio.views.lamps import Lamp, lamps_of
from studio.views.live_plan import words_of
from studio.views.policy_words import policy_words
from studio.views.training_words import training_words, version_rows
from studio.views.words import sentence
from studio.web import episode_pieces, pieces, plan_pieces, tandem_pieces
from studio.web.desk_feed import DeskFeed, DeskView
from studio.web.jobs import Jobs, JobView
from studio.web.library import Library
from studio.web.refusals import refusals

_NO_DESK = Banner("No desk", "unplug", "offline",
                  "Nothing drives here: start a desk with `tandem`; episodes can be looked at")
_FOR_ONLOOKERS = {
    Mode.IDLE: "The arm holds and follows nobody", Mode.ARMED: "The arm follows the device",
    Mode.AUTO: "", Mode.SHARED: "Operator and policy drive together", Mode.HUMAN: "",
    Mode.HANDBACK: "The policy plans from where the operator let go",
    Mode.REWIND: "The arm goes back along its way"}


def live(feed: DeskFeed, library: Callable[[], Library], jobs: Jobs) -> APIRouter:
    """The route."""
    router = APIRouter()
    server = secrets.token_hex(8)       # a page that another one made loads itself anew

    @router.get("/live/status")
    def status(response: Response) -> dict[str, Any]:
        response.headers["cache-control"] = "no-store"
        return status_of(feed.look(), library(), jobs.views()) | {"server": server}

    return router


def status_of(view: DeskView, library: Library, jobs: Sequence[JobView] = ()) -> dict[str, Any]:
    """Everything that changes, as HTML by the place where it belongs.

    Args:
        view: the newest of the desk.
        library: of the store that is meant now.
        jobs: the newest first.
    """
    snapshot, state = view.snapshot, view.state
    tiles = camera_tiles(view)
    rate_hz = state.rate_hz if state else 100.0
    curves = state.training.trainer.curves if state else ()
    return {
        "revisions": {"episode-list": f"{library.path} {library.revision()}",
                      "devices": devices_key(state),
                      "policy": state.policy.folder if state else "",
                      "versions": versions_key(state)},
        "refusals": refusals(view),
        "live": bool(state and state.live_url),
        "said": {tile.camera: tile.said for tile in tiles},
        "html": {
            "banner": pieces.banner(banner_for_onlookers(view)),
            "gauges": pieces.gauges(gauges(
                snapshot, silent=view.silent, rate_hz=rate_hz, missed=view.missed)),
            "problems": pieces.notices(problems_of(view)),
            "scene": pieces.scene(None if view.silent else snapshot, phase_of(view)),
            "cameras": pieces.tiles([pieces.Tile(tile.camera) for tile in tiles]),
            "policy": tandem_pieces.policy(policy_words(snapshot, state, view.silent)),
            "alert": tandem_pieces.alert(alert_lamp(snapshot, view.silent)),
            "lamps": tandem_pieces.lamps(for_onlookers(lamps_of(snapshot, view.silent))),
            "plan": plan_pieces.plan(view.plan, words_of_plan(snapshot)),
            "dialogue": tandem_pieces.dialogue(view.dialogue.lines),
            "training": tandem_pieces.training(training_words(state), curves),
            "losses": tandem_pieces.losses(curves),
            "versions": tandem_pieces.versions(version_rows(state),
                                               state.versions if state else None),
            "devices": pieces.devices(snapshot, state, silent=view.silent),
            "jobs": pieces.jobs(jobs),
            "store": episode_pieces.store(library.path),
            "interrupted": episode_pieces.interrupted(library.interrupted(waiting_in(view))),
        },
    }


def banner_for_onlookers(view: DeskView) -> Banner:
    """The banner for people who do not sit at the device."""
    if not view.attached:
        return _NO_DESK
    shown = banner_of(view.snapshot, view.state, view.silent)
    if view.snapshot is None or view.silent or (view.state is not None and view.state.busy):
        return shown
    mode = view.snapshot.mode
    return msgspec.structs.replace(
        shown, word="Operator drives" if shown.word == "You drive" else shown.word,
        driver=shown.driver.replace("You", "Operator"),
        detail=sentence(view.snapshot.reason) if mode in (Mode.STOP, Mode.FAULT, Mode.HOLD)
        else shown.detail if shown.recording and view.snapshot.practice else _FOR_ONLOOKERS[mode])


def words_of_plan(snapshot: Snapshot | None) -> str:
    """What stands above the plan that runs; empty without one."""
    if snapshot is None or snapshot.chunk is None:
        return ""
    return words_of(snapshot.chunk, stepping=snapshot.stepping, scale=snapshot.plan_scale)


def for_onlookers(lamps: Sequence[Lamp]) -> list[Lamp]:
    """Lamps for people who do not sit at the device."""
    return [msgspec.structs.replace(lamp, word=lamp.word.replace("You", "Person"))
            for lamp in lamps]


def devices_key(state: DeskState | None) -> str:
    """Another text whenever the desk works with other devices."""
    if state is None:
        return ""
    return repr((state.robot, state.robot_options, state.teleop, state.teleop_options))


def versions_key(state: DeskState | None) -> str:
    """Another text whenever there is another version, or another one drives."""
    return "" if state is None else repr([
        (row.run, row.number, row.standing) for row in version_rows(state)])


def phase_of(view: DeskView) -> str:
    """The name of the task's phase; empty where nobody knows it."""
    snapshot, state = view.snapshot, view.state
    if snapshot is None or state is None:
        return ""
    with suppress(DeviceError, LookupError, ValueError):
        return tasks_of(state.robot)[snapshot.task].phases[int(snapshot.phase)]
    return ""


def camera_tiles(view: DeskView) -> list[pieces.Tile]:
    """The cameras in their order, each with what is wrong with it."""
    streams = {stream.name: stream for stream in view.snapshot.streams} if view.snapshot else {}
    return [pieces.Tile(camera, why_old(streams.get(camera), silent=view.silent))
            for camera in sorted(view.pictures)]


def problems_of(view: DeskView) -> list[str]:
    """What somebody should do something about, but for what the banner says already."""
    refused = sentence(view.state.refused) if view.state is not None else ""
    said = [*filter(None, [refused]), *problems.problems_of(view.snapshot, view.state, view.silent,
                                                            view.problem)]
    banner = banner_for_onlookers(view).detail
    return [one for one in said if one != banner]


def waiting_in(view: DeskView) -> tuple[str, ...] | None:
    """The episodes that the desk's recorder says are to be kept or discarded; None without one."""
    if view.snapshot is None or not view.snapshot.recorder.wanted:
        return None
    return view.snapshot.recorder.interrupted
