"""The plan that runs, on the page: as lines around now, and as a way in the cameras' pictures."""

import imagecodecs
import msgspec
import numpy as np
import pytest
from doubles.snapshots import snapshot

from studio.station.chunks.override_commands import FixedStep
from studio.station.messages import Mode, Owner, RunningChunk
from studio.views.live_plan import History
from studio.views.plan_lines import plan_lines
from studio.web.pictures import with_plan
from studio.web.plan_pieces import plan

DOWN = (0.0, 1.0, 0.0, 0.0)
TARGETS = tuple((0.4, 0.01 * n, 0.2, *DOWN, 1.0) for n in range(8))
RUNNING = RunningChunk(chunk_id=7, space="tool", step=2, step_s=0.1, observation_ns=0,
                       targets=TARGETS, fixed=(FixedStep(5, (None, 0.3, *[None] * 6)),))
MS = 1_000_000


def history() -> History:
    """A person drove, then the policy."""
    seen = History()
    for number in range(4):
        person = number < 2
        seen.add(snapshot(
            Mode.HUMAN if person else Mode.AUTO, stamp_ns=number * 100 * MS,
            tool_pose=(0.4, 0.01 * number, 0.2, *DOWN), position=(0.0,) * 7 + (0.8,),
            epoch=1 if person else 2, owners=(int(Owner.HUMAN if person else Owner.POLICY),) * 8))
    return seen


def test_a_plan_is_drawn_around_now_with_what_was_driven_said_and_fixed():
    changed = msgspec.structs.replace(RUNNING, proposed=tuple(
        (0.5, *target[1:]) for target in TARGETS))
    lines = {line.name: line for line in plan_lines(changed, None, history())}
    assert list(lines) == ["x", "y", "z", "gripper"] and lines["gripper"].unit == ""
    assert lines["x"].ahead[0] == (0.0, 0.4) and lines["x"].proposed[0][1] == 0.5
    assert lines["y"].past[0] == pytest.approx((-0.3, 0.0)) and lines["y"].past[-1][0] == 0.0
    assert lines["y"].fixed == (pytest.approx((0.3, 0.3)),) and not lines["x"].fixed
    assert lines["z"].hands == (pytest.approx((-0.3, -0.1)),)


def test_a_plan_that_is_over_shows_what_was_and_none_shows_nothing():
    over = msgspec.structs.replace(RUNNING, step=len(TARGETS))
    assert all(not line.ahead and line.past for line in plan_lines(over, None, history()))
    assert "over" in plan(plan_lines(over, None, history()), "")
    assert plan_lines(None, None, history()) == () and "No plan runs" in plan((), "")


def test_every_line_is_a_drawing_that_stays_within_its_frame():
    shown = plan(plan_lines(RUNNING, None, history()), "Chunk <7>")
    assert shown.count("<svg") == 4 and "&lt;7&gt;" in shown
    assert shown.count('<circle class="fixed"') == 1 and shown.count('<rect class="hand"') == 4
    ways = [way.split('"')[0] for way in shown.split('points="')[1:]]
    points = np.array([pair.split(",") for way in ways for pair in way.split()], float)
    assert (points >= 0).all() and (points <= (320, 90)).all()
    still = plan(plan_lines(msgspec.structs.replace(
        RUNNING, targets=(TARGETS[0],) * 8, fixed=()), None, History()), "")
    assert "nan" not in still


def test_the_way_is_drawn_into_a_picture_only_while_a_plan_runs():
    grey = bytes(imagecodecs.jpeg8_encode(np.full((240, 320, 3), 90, np.uint8), level=85))
    row = np.zeros(1, [("world_from_camera", "<f8", (7,)), ("intrinsics", "<f8", (4,))])[0]
    row["world_from_camera"] = (0.4, 0.0, 1.2, 0.0, 1.0, 0.0, 0.0)
    row["intrinsics"] = (300.0, 300.0, 160.0, 120.0)
    driven = snapshot(Mode.AUTO, chunk=RUNNING, tool_pose=(0.4, 0.0, 0.2, *DOWN))
    assert with_plan(grey, snapshot(Mode.ARMED), row) is grey
    assert with_plan(grey, driven, None) is grey
    drawn = imagecodecs.jpeg8_decode(with_plan(grey, driven, row))
    assert drawn.shape == (240, 320, 3) and np.ptp(drawn[100:140]) > 50 and np.ptp(drawn[:40]) < 5
