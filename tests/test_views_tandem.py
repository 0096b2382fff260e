"""What a console shows of a policy that drives beside a person, and what a click means."""

from pathlib import Path

import msgspec
import pytest
from doubles.snapshots import desk, snapshot

from studio.station.commands import EndEpisode, Pause, StartEpisode, StartPolicy
from studio.station.desk.link import DeskPolicy
from studio.station.messages import Alert, Mode, Owner, PolicyHealth, RunningChunk, Spread
from studio.views.banner import banner_of
from studio.views.controls import controls_of
from studio.views.dialogue import QUESTION, Dialogue, before, phrases
from studio.views.icons import ICONS
from studio.views.lamps import (
    blend_of,
    lamps_of,
    next_wish,
    with_axis,
    with_blend,
    with_hand_back,
)
from studio.views.policy_choices import find_runs
from studio.views.policy_words import policy_words
from studio.views.recording_flow import act
from studio.views.recording_plan import Flow, Plan
from studio.views.settings import Settings, remember_policy

HEALTH = PolicyHealth(alive=True, name="/runs/bin", weights_version=120, subtask="grasp red cube",
                      latent_age_ms=310.0, system1_hz=8.0, system2_hz=2.5, act_ms=Spread(p50=12.0),
                      think_ms=Spread(p50=90.0))
CHUNK = RunningChunk(chunk_id=7, space="tool", step=2, step_s=0.1, observation_ns=0,
                     targets=((0.4, 0.0, 0.2, 0.0, 1.0, 0.0, 0.0, 1.0),) * 8)
ALL_POLICY = (int(Owner.POLICY),) * 8


def driving(mode: Mode = Mode.AUTO, **changes):
    return snapshot(mode, **{"policy": HEALTH, "chunk": CHUNK, "owners": ALL_POLICY,
                             "human_share": (0.0,) * 7, "sharing": (1.0,) * 6} | changes)


def health(**changes) -> PolicyHealth:
    return msgspec.structs.replace(HEALTH, **changes)


# ---- the policy ----------------------------------------------------------------------------------


def test_a_policy_that_drives_says_its_subtask_and_which_weights():
    said = policy_words(driving(), desk(policy=DeskPolicy("/runs/bin")), silent=False)
    assert (said.word, said.says, said.name) == ("Drives", "grasp red cube", "bin")
    assert said.version == "version 120" and said.latent == "310 ms"
    assert said.rates == "System 1 8.0 Hz, 12 ms  ·  System 2 2.5 Hz, 90 ms"
    assert not said.starved


@pytest.mark.parametrize(("changes", "why"), [
    ({"policy": health(understood=False)}, "It does not know what the instruction asks for"),
    ({"policy": health(latent_age_ms=float("nan"))}, "System 2 has not looked yet"),
    ({"policy": health(problem="the picture is missing")}, "The picture is missing"),
    ({"chunk": None}, "System 1 has said nothing"),
    ({"chunk": msgspec.structs.replace(CHUNK, step=8)}, "Its last chunk is over"),
])
def test_an_arm_that_waits_for_its_policy_says_why(changes, why):
    said = policy_words(driving(**changes), desk(), silent=False)
    assert said.word == "Waits" and said.detail.startswith(why)


def test_a_sub_task_that_a_person_says_stands_before_what_system_2_says():
    said = policy_words(driving(subtask="grasp blue cube"), desk(), silent=False)
    assert said.doing == "grasp blue cube, as you say (System 2: grasp red cube)"
    unknown = driving(subtask="grasp blue cube", policy=health(understood=False))
    assert policy_words(unknown, desk(), silent=False).word == "Drives"


def test_what_the_arm_had_to_wait_for_is_counted():
    said = policy_words(driving(policy=health(dry_ticks=3, held=1, refused=2)), desk(), False)
    assert said.starved == ("3 ticks without a plan, 1 turn without a fresh look, "
                            "2 stale chunks refused")


def test_an_alert_is_the_first_thing_that_is_said():
    alert = Alert(1, "force", "it presses harder than it should", 9.0, 5.0, 0)
    said = policy_words(driving(alert=alert), desk(), silent=False)
    assert (said.word, said.icon, said.detail) == (
        "Asks for help", "bell", "It presses harder than it should")


@pytest.mark.parametrize(("mode", "changes", "word"), [
    (Mode.ARMED, {}, "Ready"), (Mode.HANDBACK, {}, "Plans"), (Mode.HUMAN, {}, "Watches"),
    (Mode.ARMED, {"policy": health(alive=False)}, "Silent"),
    (Mode.HOLD, {"policy": health(unconfirmed=True)}, "Back"),
    (Mode.ARMED, {"policy": None}, "No policy")])
def test_every_state_of_a_policy_has_a_word_and_an_icon(mode, changes, word):
    said = policy_words(driving(mode, **changes), desk(), silent=False)
    assert said.word == word and said.icon in ICONS


def test_a_policy_that_is_loaded_or_cannot_be_is_named():
    loading = policy_words(snapshot(), desk(policy=DeskPolicy("/runs/bin", loading=True)), False)
    assert (loading.word, loading.name) == ("Loading", "bin")
    broken = policy_words(snapshot(), desk(policy=DeskPolicy("/runs/bin", problem="no run")), False)
    assert (broken.word, broken.detail) == ("Not loaded", "No run")


# ---- who drives ----------------------------------------------------------------------------------


def test_each_axis_has_a_lamp_that_says_who_drives_it():
    owners = (int(Owner.BLEND),) * 7 + (int(Owner.POLICY),)
    lamps = lamps_of(driving(Mode.SHARED, owners=owners,
                             human_share=(1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0)), silent=False)
    assert [lamp.word for lamp in lamps] == ["You", "You 50%", *["Policy"] * 5]
    assert [lamp.icon for lamp in lamps[:3]] == ["hand", "users", "bot"]
    assert lamps[6].axis == "gripper"


@pytest.mark.parametrize(("mode", "owner", "word"), [
    (Mode.AUTO, Owner.POLICY, "Policy"), (Mode.HUMAN, Owner.HUMAN, "You"),
    (Mode.HANDBACK, Owner.HOLD, "Held"), (Mode.IDLE, Owner.NOBODY, "Nobody"),
    (Mode.STOP, Owner.SAFETY, "Nobody"), (Mode.AUTO, Owner.SAFETY, "Safety")])
def test_a_lamp_follows_the_owner_of_the_tick(mode, owner, word):
    lamps = lamps_of(driving(mode, owners=(int(owner),) * 8), silent=False)
    assert {lamp.word for lamp in lamps} == {word}
    assert all(lamp.icon in ICONS for lamp in lamps)


def test_lamps_are_out_while_the_station_is_silent():
    assert {lamp.word for lamp in lamps_of(driving(), silent=True)} == {"–"}


def test_clicks_go_round_from_yours_to_both_to_the_policys():
    now = driving(sharing=(1.0, 1.0, 0.0, 0.3, 1.0, 1.0), hand_back=False)
    assert [next_wish(share) for share in now.sharing[:4]] == ["both", "both", "you", "policy"]
    asked = with_axis(now, 1, "both", 0.3)
    assert asked.human == (1.0, 0.3, 0.0, 0.3, 1.0, 1.0) and not asked.hand_back


def test_the_blend_moves_every_axis_that_both_drive_and_only_those():
    now = driving(sharing=(1.0, 0.5, 0.0, 0.5, 1.0, 1.0))
    assert with_blend(now, 0.2).human == (1.0, 0.2, 0.0, 0.2, 1.0, 1.0)
    assert with_blend(driving(), 0.2).human == (0.2,) * 6
    assert blend_of(now) == 0.5 and blend_of(driving()) == 0.5
    assert not with_hand_back(now, False).hand_back


@pytest.mark.parametrize(("mode", "intervention", "word", "tone"), [
    (Mode.AUTO, 0, "Policy drives", "policy"), (Mode.SHARED, 1, "Shared", "override"),
    (Mode.HANDBACK, 0, "Handing back", "policy"), (Mode.HUMAN, 1, "You drive", "override"),
    (Mode.HUMAN, 0, "Recording", "recording")])
def test_the_state_of_a_recorded_rollout_is_who_drives(mode, intervention, word, tone):
    shown = banner_of(driving(mode, episode="e", episode_s=1.0, intervention=intervention),
                      desk(), silent=False)
    assert (shown.word, shown.tone) == (word, tone)
    assert shown.recording and shown.kept and shown.time == "00:01.0"


# ---- a rollout -----------------------------------------------------------------------------------

PLAN = Plan(task="put-cube-in-bin", seed=4)


def test_letting_it_drive_begins_an_episode_unless_one_is_open():
    begun = act(Flow(), "let drive", PLAN, driving(Mode.ARMED), 0)
    assert [type(asked) for asked in begun.asks] == [StartEpisode, StartPolicy]
    goes_on = act(Flow(), "let drive", PLAN, driving(Mode.ARMED, episode="e"), 0)
    assert goes_on.asks == (StartPolicy(),)
    assert not act(Flow(), "let drive", PLAN, driving(Mode.AUTO, episode="e"), 0).asks


@pytest.mark.parametrize(("mode", "policy", "why"), [
    (Mode.ARMED, None, "No policy is there"), (Mode.IDLE, HEALTH, "old Arm first"),
    (Mode.HOLD, HEALTH, "old Arm first"), (Mode.STOP, HEALTH, "Re-arm first"),
    (Mode.HUMAN, HEALTH, "let go of the device first"), (Mode.REWIND, HEALTH, "drives back"),
    (Mode.ARMED, health(alive=False), "says nothing")])
def test_a_button_that_cannot_let_it_drive_says_why(mode, policy, why):
    now = driving(mode, policy=policy)
    controls = controls_of(now, desk(), Flow(), silent=False, practice=False, resettable=True)
    assert why in controls.let_drive
    if mode is not Mode.STOP and (policy is None or policy.alive):
        assert not act(Flow(), "let drive", PLAN, now, 0).asks


@pytest.mark.parametrize("action", ["end", "success", "discard", "finish"])
def test_a_rollout_that_ends_leaves_the_arm_holding(action):
    ended = act(Flow(), action, PLAN, driving(episode="e"), 0)
    assert Pause() in ended.asks
    by_hand = act(Flow(), action, PLAN, driving(Mode.HUMAN, episode="e"), 0)
    assert Pause() not in by_hand.asks


def test_a_label_ends_the_rollout_and_judges_it():
    assert act(Flow(), "failure", PLAN, driving(episode="e"), 0).asks[0] == EndEpisode("failure")


# ---- what is said --------------------------------------------------------------------------------


def test_instructions_and_answers_become_lines_once_each():
    said = Dialogue().follow(driving(episode="e", episode_s=3.0))
    assert said.follow(driving(episode="e", episode_s=4.0)) is said
    said = said.follow(driving(instruction="put it back"))
    said = said.follow(driving(instruction="put it back", policy=health(understood=False)))
    assert [(line.who, line.words) for line in said.lines] == [
        ("You", "put the red cube into the bin"), ("System 2", "grasp red cube"),
        ("You", "put it back"), ("System 2", "I do not know what the instruction asks for")]
    assert said.lines[0].time == "00:03.0" and not said.lines[2].time
    assert all(line.icon in ICONS for line in said.lines)


def test_whoever_looks_is_you_and_other_consoles_are_called_by_name():
    said = Dialogue(me="desktop").follow(driving(instruction="one", instruction_by="desktop"))
    said = said.follow(driving(instruction="two", instruction_by="page"))
    said = said.follow(driving(instruction="two", instruction_by="page", subtask="grasp blue cube",
                               subtask_by="desktop-4711"))
    people = [line for line in said.lines if line.who != "System 2"]
    assert [line.who for line in people] == ["You", "Page", "Desktop-4711"]
    assert {line.tone for line in people} == {"ready"}


def test_a_question_is_answered_with_what_system_2_said_last_and_when():
    said = Dialogue().asked(driving())
    assert said.lines[0].words == QUESTION
    assert said.lines[1].words == ("grasp red cube · asked for: “put the red cube into the bin” · "
                                   "looked 310 ms ago")
    silent = Dialogue().asked(driving(policy=None))
    assert silent.lines[1].words == "No policy is there to answer"


def test_what_held_before_can_be_said_again():
    said = Dialogue().follow(driving()).follow(driving(instruction="put it back"))
    assert before(said, "put it back") == "put the red cube into the bin"
    assert before(Dialogue().follow(driving()), "put the red cube into the bin") == ""
    assert phrases(said, ["older"], ["of the store", "older"], ["of the task"]) == (
        "put it back", "put the red cube into the bin", "older", "of the store", "of the task")


def test_a_sub_task_is_told_in_the_dialogue_and_is_no_instruction_to_say_again():
    told = Dialogue().follow(driving()).follow(driving(subtask="grasp blue cube"))
    over = told.follow(driving(subtask="grasp blue cube")).follow(driving())
    assert [line.words for line in over.lines[-2:]] == [
        "Do this now: grasp blue cube", "Say yourself what is to be done"]
    assert over.instructions() == Dialogue().follow(driving()).instructions()


# ---- which policies there are --------------------------------------------------------------------


def write_run(folder: Path, step: str = "000120", kind: str = "tandem-run") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(msgspec.json.encode({"format": kind, "kind": "dual"}))
    (folder / "latest").write_text(step)
    return folder


def test_runs_are_found_where_they_lie_and_remembered_ones_come_first(tmp_path):
    one, two = write_run(tmp_path / "runs/one"), write_run(tmp_path / "deep/er/two", "7")
    write_run(tmp_path / "runs/other", kind="something")
    (tmp_path / "runs/empty").mkdir()
    found = find_runs([tmp_path / "runs", tmp_path / "deep", tmp_path / "nowhere"], [str(two)])
    assert [(run.folder, run.step) for run in found] == [(str(two), 7), (str(one), 120)]
    assert found[1].words == "one, step 120"


def test_policies_are_remembered_newest_first_and_not_twice():
    settings = remember_policy(remember_policy(Settings(), "/a"), "/b")
    assert remember_policy(settings, "/a").policies == ("/a", "/b")
    assert remember_policy(settings, "").policies == ("/b", "/a")
