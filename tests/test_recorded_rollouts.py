"""A recorded rollout keeps the rules, shows who did what, and what is falsified in it is found."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy
from doubles.tampered_store import TamperedStore

from policy.data.views import UnknownViewError, spans, ticks_in
from policy.driving.two_speeds import Delays
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.cli import main
from studio.sim.replay import replay_in_simulator
from studio.station.commands import Arm, Pause, Rewind, SetInstruction, SetSharing, StartPolicy
from studio.station.messages import Mode, Owner
from studio.station.recording.rollout_rules import RULES, check_rollout

pytestmark = pytest.mark.gl
ONLY_Y = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Iterator[Path]:
    """A rollout in which the arm is taken, shared, held, taken back, and told other words."""
    path = tmp_path_factory.mktemp("rollout") / "store"
    with DemoStore.open(path, write=True, create=True) as store:
        desk = RolloutDesk(RulePolicy(), delays=Delays(think_s=0.03, act_s=0.02), store=store)
        desk.begin()
        desk.ticks(60)
        desk.push(30)
        desk.ticks(40)
        desk.do(SetSharing(ONLY_Y))
        desk.push(30)
        desk.ticks(40)
        desk.do(SetInstruction("put the blue cube in the bin"))
        desk.ticks(30)
        desk.do(Pause())
        desk.ticks(20)
        desk.do(Arm())
        desk.do(StartPolicy())
        desk.ticks(30)
        desk.do(Rewind(0.5))
        desk.ticks(10)
        desk.push(20)
        desk.ticks(20)
        desk.do(StartPolicy())
        desk.ticks(20)
        desk.end()
        desk.robot.disconnect()
    yield path


@pytest.fixture
def copy(recorded, tmp_path) -> TamperedStore:
    return TamperedStore(recorded, tmp_path / "copy")


def episode_in(path: Path) -> EpisodeReader:
    return EpisodeReader(next(one for one in (path / "data.zarr").iterdir() if one.is_dir()))


def broken_by(copy: TamperedStore) -> dict[str, int]:
    """Rules that are broken, each with the first tick."""
    found = check_rollout(EpisodeReader(copy.episode)).findings
    return {one.rule: one.tick for one in reversed(found)}


def test_a_rollout_in_which_everything_happens_keeps_every_rule(recorded):
    episode = episode_in(recorded)
    modes = set(episode["tick"]["mode"].tolist())
    assert {Mode.AUTO, Mode.HUMAN, Mode.SHARED, Mode.HANDBACK, Mode.HOLD, Mode.ARMED} <= modes
    checked = check_rollout(episode)
    assert checked.findings == () and checked.unchecked == ()


def test_a_rollout_in_which_two_drive_against_the_table_keeps_every_rule(tmp_path):
    with DemoStore.open(tmp_path / "store", write=True, create=True) as store:
        desk = RolloutDesk(RulePolicy(), delays=Delays(think_s=0.03, act_s=0.02), store=store)
        desk.begin()
        desk.ticks(60)
        desk.do(SetSharing((0.5,) * 6))
        pushed = desk.push(250, (0.0, 0.0, -0.3, 0.0, 0.0, 0.0))
        desk.ticks(40)
        desk.end()
        desk.robot.disconnect()
    assert Owner.SAFETY in {row["owner"][0] for row in pushed}
    assert check_rollout(episode_in(tmp_path / "store")).findings == ()


def in_mode(episode: EpisodeReader, mode: Mode, number: int = 5) -> int:
    """The index of some tick of a mode, well inside it."""
    return int(np.flatnonzero(episode["tick"]["mode"] == mode)[number])


def put(at: int, value: object) -> Callable[[np.ndarray], None]:
    def change(values: np.ndarray) -> None:
        values[at] = value
    return change


SEEDED: dict[str, Callable[[TamperedStore, EpisodeReader, int], None]] = {
    "every tick one record": lambda copy, episode, at: copy.drop_rows("tick", slice(at, at + 3)),
    "one owner": lambda copy, episode, at: copy.column(
        "tick", "owner", put(at, Owner.HUMAN)),
    "gripper never blended": lambda copy, episode, at: copy.column(
        "tick", "owner", lambda values: put(at, [*values[at][:-1], Owner.BLEND])(values)),
    "epochs never fall": lambda copy, episode, at: copy.column("tick", "epoch", put(at, 99)),
    "interventions are numbered": lambda copy, episode, at: copy.column(
        "tick", "intervention",
        lambda values: values.__setitem__(values == 2, 3)),
    "no plan of before": lambda copy, episode, at: copy.column(
        "chunk", "epoch", lambda values: values.__iadd__(1)),
    "every chunk is there": lambda copy, episode, at: copy.drop_rows("chunk_target", slice(5, 8)),
    "who acts is named": lambda copy, episode, at: copy.column(
        "tick", "weights_version", put(at, 7)),
    "words as they were edited": lambda copy, episode, at: copy.column(
        "tick", "instruction_id", put(at, 5)),
    "no jump": lambda copy, episode, at: copy.column(
        "tick", "sent", lambda values: put(at, values[at] + 0.05)(values)),
}


def test_every_rule_has_a_seeded_fault():
    assert set(SEEDED) == set(RULES)


@pytest.mark.parametrize("rule", SEEDED)
def test_what_breaks_a_rule_is_found_with_its_tick(rule, copy):
    episode = EpisodeReader(copy.episode)
    at = in_mode(episode, Mode.AUTO, 20)
    tick = int(episode["tick"]["seq"][at])
    SEEDED[rule](copy, episode, at)
    broken = broken_by(copy)
    assert rule in broken, broken
    if rule not in ("interventions are numbered", "no plan of before", "every chunk is there"):
        assert abs(broken[rule] - tick) <= 1


@pytest.mark.parametrize(("stream", "column", "value"), [
    ("chunk", "observation_ns", 1), ("chunk", "fate", 1), ("chunk", "instruction_id", -1),
    ("tick", "chunk_id", 0), ("tick", "chunk_id", 12345), ("tick", "chunk_step", 99)])
def test_a_plan_that_may_not_act_is_found_whatever_makes_it_so(stream, column, value, copy):
    copy.column(stream, column, lambda values: values.fill(value))
    assert "no plan of before" in broken_by(copy)


def test_an_edit_that_does_not_follow_from_the_words_before_is_found(copy):
    def forge(attributes):
        edit = next(one for one in attributes["events"] if one["kind"] == "instruction")
        edit["before"] = "something else"
    copy.attributes(forge)
    assert "words as they were edited" in broken_by(copy)


def test_what_an_older_recording_does_not_say_is_no_fault(copy):
    def older(attributes):
        attributes["streams"] = [one for one in attributes["streams"]
                                 if not one["name"].startswith("chunk")]
    copy.attributes(older)
    checked = check_rollout(EpisodeReader(copy.episode))
    assert checked.findings == ()
    assert "no plan of before" in checked.unchecked


def test_the_command_names_episode_tick_and_rule_in_a_line_each_and_ends_with_one(
        recorded, copy, capsys):
    assert main(["data", "check", str(recorded)]) == 0
    assert "no problem" in capsys.readouterr().out
    episode, seq = copy.episode.name, EpisodeReader(copy.episode)["tick"]["seq"]
    copy.column("tick", "epoch", put(40, 99))
    assert main(["data", "check", str(copy.path), episode]) == 1
    assert f"{episode}, tick {seq[41]}: epochs never fall: " in capsys.readouterr().out
    assert main(["data", "check", str(copy.path), "0", "--json"]) == 1
    finding = next(one for one in json.loads(capsys.readouterr().out)["findings"]
                   if one["rule"] == "epochs never fall")
    assert finding == {"episode": episode, "tick": seq[41], "rule": "epochs never fall",
                       "what": "the epoch falls from 99 to 1"}


def test_what_is_damaged_is_not_judged(copy, capsys):
    (copy.episode / "tick" / "epoch" / "c" / "0").write_bytes(b"")
    assert main(["data", "check", str(copy.path), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["problems"] and not said["findings"]


def test_what_is_left_of_a_rollout_that_was_taken_back_repeats_exactly(recorded):
    again = replay_in_simulator(episode_in(recorded))
    assert again.same and again.max_object_error_m == again.max_joint_error_rad == 0.0


# ---- who did what --------------------------------------------------------------------------------


def test_spans_tell_the_whole_episode_in_order_and_each_what_it_was(recorded):
    episode = episode_in(recorded)
    found = spans(episode)
    assert sum(one.end_tick - one.begin_tick + 1 for one in found) == len(episode["tick"])
    assert all(a.end_s == b.begin_s and a.end_tick + 1 == b.begin_tick
               for a, b in pairwise(found))
    told = [one.whose for one in found]
    assert told.count("correction") == 3 and "policy, taken back" in told and "held" in told
    assert [one.intervention for one in found if one.whose == "correction"] == [1, 2, 3]
    assert {one.weights_version for one in found if one.whose.startswith("policy")} == {1}
    shared = next(one for one in found if one.intervention == 2)
    assert "BLEND" in shared.owners


def test_a_view_is_a_filter_of_the_same_ticks(recorded):
    episode = episode_in(recorded)
    views = {name: ticks_in(episode, name) for name in ("demonstrations", "corrections", "held",
                                                       "autonomous", "before-corrections",
                                                       "taken-back", "version:1", "owner:human")}
    whole = views["corrections"].astype(int) + views["autonomous"] + views["held"]
    assert (whole == 1).all() and not views["demonstrations"].any()
    assert not (views["taken-back"] & ~views["autonomous"]).any() and views["taken-back"].any()
    by_hand = (episode["tick"]["owner"] == Owner.HUMAN).any(axis=1)
    assert np.array_equal(views["owner:human"], by_hand)
    assert sum(one.end_tick - one.begin_tick + 1 for one in spans(episode, "corrections")) \
        == views["corrections"].sum()
    with pytest.raises(UnknownViewError, match="version:N"):
        ticks_in(episode, "the-good-ones")


def test_commands_list_and_show_what_belongs_to_a_view(recorded, capsys):
    assert main(["data", "ls", str(recorded), "--view", "corrections", "--json"]) == 0
    listed, = json.loads(capsys.readouterr().out)["episodes"]
    assert listed["spans"] == 3 and 0.5 < listed["view_s"] < 1.5
    assert main(["data", "ls", str(recorded), "--view", "version:9"]) == 0
    assert "no episode" in capsys.readouterr().err
    assert main(["data", "show", str(recorded), "0", "--view", "taken-back", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["spans"]
    assert shown and {one["whose"] for one in shown} == {"policy, taken back"}
    assert main(["data", "show", str(recorded), "0", "--view", "nonsense"]) == 2
