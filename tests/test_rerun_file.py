"""A stored episode becomes an .rrd file in which everything is found again."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles import synthetic_episodes as made
from rerun.experimental import Chunk, RrdReader

from recorders.clock import NS_PER_S, SystemClock
from recorders.episode_reader import EpisodeReader
from recorders.rerun_blueprint import episode_blueprint
from recorders.rerun_entities import Lane, cameras, lanes, plots
from recorders.rerun_file import is_told_by_the_ticks, rows_of, words, write_rrd
from recorders.rerun_times import Thinner
from recorders.store import DemoStore
from recorders.streams import Column, StreamSpec
from studio.devices.interfaces import RobotInfo
from studio.station.messages import Guard, Mode, Owner, tick_stream

SECONDS = 3
ARM_XML = """
<mujoco><worldbody><body name="link1"><joint name="base"/><geom type="box" size=".1 .1 .1"/>
</body></worldbody></mujoco>
"""


@pytest.fixture(scope="module")
def rrd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of the made-up robot, stored by the real writer and written for Rerun."""
    folder = tmp_path_factory.mktemp("rerun")
    header = made.header(model_xml=ARM_XML)
    with DemoStore.open(folder / "store", write=True, create=True, clock=SystemClock()) as store:
        writer = store.begin(header)
        for spec in made.STREAMS:
            writer.append(made.batch(spec, 0, round(SECONDS * spec.rate_hz)))
        writer.event(made.START_MONO_NS + NS_PER_S, "instruction", before="", after="go on")
        writer.commit(made.START_MONO_NS + SECONDS * NS_PER_S, "success")
        path = store.episode_path(header.episode)
    write_rrd(path, folder / "out" / "episode.rrd", folder / "store" / "models")
    return folder / "out" / "episode.rrd"


def chunks(rrd: Path) -> Iterator[Chunk]:
    yield from RrdReader(str(rrd)).store().stream().to_chunks()


def rows(rrd: Path, *, static: bool = False) -> Counter[str]:
    """Rows per entity: those with a time, or those without."""
    counted: Counter[str] = Counter()
    for chunk in chunks(rrd):
        if chunk.is_static == static:
            counted[chunk.entity_path] += chunk.num_rows
    return counted


def test_every_row_of_every_stream_is_in_the_file(rrd: Path) -> None:
    counted = rows(rrd)
    assert counted["/commands/sent"] == 100 * SECONDS
    assert counted["/joints/position"] == 500 * SECONDS
    assert counted["/joints/fault"] == 500 * SECONDS
    assert counted["/world/cameras/front/rgb"] == 30 * SECONDS
    assert "/station/jacobian" not in counted       # a matrix is no plot


def test_pictures_that_must_be_decoded_are_thinned(rrd: Path) -> None:
    counted = rows(rrd)
    assert 0 < counted["/world/cameras/wrist/depth"] <= 5 * SECONDS + 1
    assert 0 < counted["/world/cameras/wrist/rgb"] <= 5 * SECONDS + 1


def test_jpeg_pictures_are_the_recorded_bytes(rrd: Path) -> None:
    recorded = [bytes(made.pictures(made.FRONT, i)["rgb"]) for i in range(30 * SECONDS)]
    logged: dict[int, bytes] = {}
    for chunk in chunks(rrd):
        if chunk.entity_path == "/world/cameras/front/rgb":
            batch = chunk.to_record_batch()
            blobs = next(c for c in batch.schema.names if c.endswith("EncodedImage:blob"))
            for stamp, blob in zip(batch["mono"].cast("int64").to_pylist(),
                                   batch[blobs].to_pylist(), strict=True):
                logged[stamp] = bytes(blob[0])
    assert [logged[stamp] for stamp in sorted(logged)] == recorded


def test_everything_stands_on_the_three_timelines(rrd: Path) -> None:
    for chunk in chunks(rrd):
        if chunk.entity_path == "/joints/position" and not chunk.is_static:
            batch = chunk.to_record_batch()
            mono = np.array(batch["mono"].cast("int64"))
            since = np.array(batch["episode_s"].cast("int64"))
            np.testing.assert_array_equal(mono - since, made.START_MONO_NS)
            # The arm speaks five times per tick: the number is that of the tick before.
            tick = (mono - made.START_MONO_NS) * 100 // NS_PER_S
            np.testing.assert_array_equal(np.array(batch["tick"]), tick)
            return
    pytest.fail("no chunk of joint positions")


def test_events_and_changes_of_state_are_written_in_the_log(rrd: Path) -> None:
    counted = rows(rrd)
    assert counted["/log/instruction"] == 1
    assert counted["/state/mode"] >= 2 and counted["/log/mode"] >= 2


def test_the_arm_is_drawn_from_the_model_in_the_store(rrd: Path) -> None:
    assert rows(rrd, static=True)["/world/link1/boxes"] == 1


def test_the_file_brings_its_layout_and_says_what_it_shows(rrd: Path) -> None:
    reader = RrdReader(str(rrd))
    assert len(reader.blueprints()) == 1
    assert [entry.recording_id for entry in reader.recordings()] == [made.header().episode]
    assert rows(rrd, static=True)["/episode"] == 1


def test_an_episode_without_its_model_is_written_without_a_3d_view(rrd: Path,
                                                                   tmp_path: Path) -> None:
    store = rrd.parent.parent / "store"
    path = DemoStore.open(store).episode_path(made.header().episode)
    write_rrd(path, tmp_path / "no-model.rrd", tmp_path)
    drawn = rows(tmp_path / "no-model.rrd", static=True)
    assert not any(entity.startswith("/world/link1") for entity in drawn)
    assert rows(tmp_path / "no-model.rrd")["/commands/sent"] == 100 * SECONDS


def test_the_same_joint_has_the_same_colour_in_every_plot() -> None:
    drawn = {plot.entity: plot for plot in plots(made.STREAMS)}
    assert drawn["commands/sent"].colours == drawn["joints/position"].colours


def robot(joints: int = 3) -> RobotInfo:
    wide = (0.0,) * joints
    return RobotInfo(name="made-up", joint_names=("base", "elbow", "gripper")[:joints], lower=wide,
                     upper=wide, max_velocity=wide, max_acceleration=wide, max_jerk=wide, home=wide,
                     model_xml="", tool_site="", arm_joints=(), streams=())


def lane(column: str) -> Lane:
    return next(lane for lane in lanes([tick_stream(robot(), 100)]) if lane.column == column)


def test_codes_are_shown_in_words() -> None:
    owners = [int(Owner.POLICY), int(Owner.POLICY), int(Owner.HUMAN)]
    assert lane("owner").describe(owners) == "POLICY (gripper: HUMAN)"
    assert lane("owner").describe([int(Owner.HUMAN)] * 3) == "HUMAN"
    assert lane("mode").describe(int(Mode.HANDBACK)) == "HANDBACK"
    assert lane("guards").describe(int(Guard.WORKSPACE | Guard.STOPPED)) == "STOPPED WORKSPACE"
    assert lane("guards").describe(0) == "none"
    assert lane("mode").describe(99) == "code 99"


def test_the_layout_has_no_pane_for_what_the_robot_does_not_have() -> None:
    bare = [StreamSpec(name="arm", rate_hz=50, columns=(
        Column(name="position", dtype="<f8", shape=(2,), names=("a", "b")),))]
    assert cameras(bare) == []
    assert len([*episode_blueprint(bare, scene=False).root_container.contents]) == 2
    assert len([*episode_blueprint(made.STREAMS).root_container.contents]) == 3


def test_thinning_keeps_the_first_sample_of_each_period_across_calls() -> None:
    stamps = np.arange(0, NS_PER_S, NS_PER_S // 100)
    at_once = stamps[Thinner(30.0).shown(stamps)]
    piecewise = Thinner(30.0)
    in_parts = [part[piecewise.shown(part)] for part in np.split(stamps, 20)]
    np.testing.assert_array_equal(np.concatenate(in_parts), at_once)
    assert len(at_once) == 30


def test_columns_put_together_again_are_the_rows_that_were_recorded(rrd: Path) -> None:
    store = rrd.parent.parent / "store"
    episode = EpisodeReader(DemoStore.open(store).episode_path(made.header().episode))
    np.testing.assert_array_equal(rows_of(episode["tick"]), made.rows(made.TICK, 0, 100 * SECONDS))


def test_events_are_lines_without_what_is_empty_or_told_already() -> None:
    said = {"t_mono_ns": 1, "kind": "mode", "before": "AUTO", "after": "HOLD", "why": "too hot"}
    assert words(said) == "before: AUTO, after: HOLD, why: too hot"
    assert not is_told_by_the_ticks(said) and is_told_by_the_ticks(said | {"why": ""})
    assert words({"t_mono_ns": 1, "kind": "clap", "by": ""}) == "clap"
