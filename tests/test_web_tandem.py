"""The web desk's tabs Rollout and Train: what they say, and what they ask for."""

import msgspec
import pytest
from doubles.snapshots import desk, snapshot

from policy.versions.ledger import Version
from studio.station.commands import Arm, SetSharing, StartEpisode, StartPolicy
from studio.station.desk.link import DeskPolicy
from studio.station.messages import Mode, Owner, PolicyHealth
from studio.station.training.training_link import (
    DrawnCurve,
    Promote,
    StartTraining,
    TrainerState,
    TrainingState,
    VersionsState,
)
from studio.views.dialogue import Dialogue
from studio.views.icons import ICONS
from studio.views.training_words import (
    badge_of,
    roll_back_refusal,
    training_words,
    version_rows,
)
from studio.web import tandem_pieces
from studio.web.desk_feed import DeskView
from studio.web.library import Library
from studio.web.live import status_of
from studio.web.refusals import refusals
from studio.web.tabs import rollout, train

HEALTH = PolicyHealth(alive=True, weights_version=120, subtask="grasp <red> cube",
                      latent_age_ms=310.0)
VERSIONS = (
    Version(run="/runs/x", number=120, folder="/runs/x/checkpoints/120", wall_ns=1,
            standing="promoted", minutes=3.0, episodes=40),
    Version(run="/runs/x-2", number=150, folder="/runs/x-2/checkpoints/150", wall_ns=2,
            metrics={"held_out": 0.0123}, minutes=1.0, episodes=1),
    Version(run="/runs/x-2", number=180, folder="/runs/x-2/checkpoints/180", wall_ns=3,
            standing="refused", says="it moves too differently"))
AT_WORK = desk(policy=DeskPolicy("/runs/x"), versions=VersionsState(
    versions=VERSIONS, driving_run="/runs/x", driving=120, decision="version 180 was refused",
    refused=True, refused_run="/runs/x-2", refused_version=180))


def status(**changes):
    view = DeskView(**dict(attached=True, snapshot=snapshot(), state=AT_WORK, silent=False)
                    | changes)      # type: ignore[arg-type]
    return status_of(view, Library(""))["html"]


def test_an_onlooker_sees_who_drives_and_what_the_policy_says_and_nobody_is_you():
    driven = snapshot(Mode.SHARED, policy=HEALTH, human_share=(1.0, 0.5, *[0.0] * 5),
                      owners=(int(Owner.BLEND),) * 8)
    shown = status(snapshot=driven, dialogue=Dialogue().follow(driven))
    assert "Person 50%" in shown["lamps"] and "You" not in shown["lamps"] + shown["dialogue"]
    assert "version 120" in shown["policy"] and "310 ms old" in shown["policy"]
    assert "grasp &lt;red&gt; cube" in shown["dialogue"]
    assert shown["dialogue"].count('class="line') == 2


def test_an_onlooker_reads_who_says_what_is_done_now():
    shown = status(snapshot=snapshot(Mode.AUTO, policy=HEALTH, subtask="grasp <blue> cube"))
    assert "A person says" in shown["policy"] and "grasp &lt;blue&gt; cube" in shown["policy"]
    assert "A person says" not in status(snapshot=snapshot(Mode.AUTO, policy=HEALTH))["policy"]


def test_without_a_desk_the_tabs_say_so_and_nothing_breaks():
    shown = status(attached=False, snapshot=None, state=None, silent=True)
    assert "No policy" in shown["policy"] and "No desk" in shown["training"]
    assert "appear here" in shown["versions"]


@pytest.mark.parametrize(("mode", "episode", "kinds"), [
    (Mode.IDLE, "", [Arm, StartEpisode, StartPolicy]),
    (Mode.ARMED, "", [StartEpisode, StartPolicy]),
    (Mode.HOLD, "e", [Arm, StartPolicy]), (Mode.ARMED, "e", [StartPolicy])])
def test_a_rollout_begins_from_wherever_the_station_is(mode, episode, kinds):
    asked = rollout.start_of(snapshot(mode, episode=episode, seed=4), practice=True)
    assert [type(one) for one in asked] == kinds
    started = [one for one in asked if isinstance(one, StartEpisode)]
    assert all((one.practice, one.seed, one.task) == (True, 4, "put-cube-in-bin")
               for one in started)


def test_axes_are_the_persons_both_or_the_policys():
    assert rollout.sharing_of(["x", "yaw"], ["y"], 0.3, False) == SetSharing(
        (1.0, 0.3, 0.0, 0.0, 0.0, 1.0), False)


# ---- learning ------------------------------------------------------------------------------------


def test_a_training_is_asked_for_with_its_method_and_stores():
    assert train.request_of("sirius", 2.5, "datasets/bin\n\n datasets/more ") == StartTraining(
        method="sirius", minutes=2.5, stores=("datasets/bin", "datasets/more"))
    assert train.promotion_of("150 /runs/x 2", 3, "", None) == Promote(
        version=150, run="/runs/x 2", scenes=3)


def test_a_reason_overrules_the_gate_only_for_the_version_that_it_refused_last():
    def overrules(state, number, run):
        return train.promotion_of(f"{number} {run}", 0, " looks fine ", state).overrule

    assert overrules(AT_WORK, 180, "/runs/x-2") == "looks fine"
    assert overrules(AT_WORK, 150, "/runs/x-2") == overrules(AT_WORK, 180, "/runs/x") == ""
    assert overrules(desk(), 0, "") == overrules(None, 180, "/runs/x-2") == ""


def trained(**changes):
    trainer = TrainerState(run="/runs/x-2", method="iwr", step=900, minutes=1.0, share=0.4,
                           held_out={"held_out": 0.0123}, episodes=12, corrected=3,
                           curves=(DrawnCurve("held out", (0.0, 0.5, 1.0), (3.0, 2.0, 1.0)),))
    return msgspec.structs.replace(AT_WORK, training=msgspec.structs.replace(
        TrainingState(running=True, trainer=trainer), **changes))


@pytest.mark.parametrize(("state", "word", "may"), [
    (desk(), "Nothing trained", ()), (AT_WORK, "Nothing trained", ("start",)),
    (trained(), "Trains", ("stop",)),
    (trained(running=False, resumable=True, problem="out of memory"), "Ended early",
     ("start", "resume")),
    (trained(running=False, resumable=True), "Stopped", ("start", "resume")),
    (trained(running=False), "Done", ("start",))])
def test_a_training_says_how_it_goes_and_what_may_be_asked(state, word, may):
    shown = training_words(state)
    assert shown.word == word and shown.icon in ICONS
    assert tuple(name for name in ("start", "stop", "resume") if not getattr(shown, name)) == may


def why_not(state, shown=None, **changes):
    view = DeskView(**dict(attached=True, snapshot=shown or snapshot(), state=state, silent=False)
                    | changes)      # type: ignore[arg-type]
    buttons = refusals(view)
    return {name: why for name, why in buttons.items() if why}


TRAINING = {"train-start", "train-stop", "train-resume", "roll-back"}


def test_buttons_of_a_training_are_refused_where_the_desk_would_and_say_why():
    silent = why_not(None)
    assert {silent[name] for name in TRAINING} == {"The desk says nothing"}
    assert TRAINING - {*why_not(trained(running=False))} == {"train-start"}
    busy = why_not(trained(running=True))
    assert TRAINING - {*busy} == {"train-stop"}
    assert "stop it first" in busy["train-start"] and "stop it first" in busy["train-resume"]


@pytest.mark.parametrize(("shown", "refused"), [
    (snapshot(Mode.HOLD), {"rollout-start": "choose a training run", "rollout-success": "No ep",
                           "rollout-discard": "No episode", "alert-fine": "No alert"}),
    (snapshot(Mode.IDLE, policy=HEALTH, episode="e"), {"alert-fine": "No alert"}),
    (snapshot(Mode.HUMAN, policy=HEALTH, episode="e"), {"rollout-start": "operator drives"}),
    (snapshot(Mode.STOP, policy=HEALTH), {"rollout-start": "Re-arm", "rollout-partial": "No ep"}),
])
def test_buttons_of_a_rollout_are_grey_where_they_would_be_refused_and_hold_never_is(
        shown, refused):
    said = why_not(AT_WORK, shown)
    assert all(words in said[name] for name, words in refused.items())
    if "rollout-start" not in refused:
        assert "rollout-start" not in said and "rollout-success" not in said
    silent = why_not(AT_WORK, shown, silent=True)
    assert silent["rollout-start"] == silent["words-now"] == "The station says nothing"
    assert "rollout-hold" not in said | silent


def test_curves_are_drawn_and_ones_that_have_no_line_yet_are_not():
    state = trained()
    html = tandem_pieces.training(training_words(state), state.training.trainer.curves)
    assert html.count("<polyline") == 1 and "0.0,0.0" in html and "3 corrected" in html
    assert tandem_pieces.losses(state.training.trainer.curves) == ""
    of_both = [DrawnCurve(name, (0.0, 0.01), (2.0, 1.0)) for name in (
        "learned/loss", "learned/flow", "held out/action error")]
    training = msgspec.structs.replace(
        state.training, trainer=msgspec.structs.replace(state.training.trainer, curves=of_both))
    pieces = status(state=msgspec.structs.replace(state, training=training))
    assert not any("<details" in piece for piece in pieces.values())     # they are put anew
    told, folded = pieces["training"], pieces["losses"]
    assert "learned/loss" in told and "held out" in told and "flow" not in told
    assert "learned/flow" in folded and "0 to 0.01 min" in folded
    assert tandem_pieces.curve(DrawnCurve("one point", (0.0,), (1.0,))) == ""
    assert tandem_pieces.curve(DrawnCurve("lost", (0.0, 1.0), (1.0, float("nan")))) == ""


def test_versions_stand_newest_first_with_what_became_of_them():
    rows = version_rows(AT_WORK)
    assert [(row.number, row.standing) for row in rows] == [
        (180, "Refused"), (150, "Candidate"), (120, "Drives")]
    assert rows[0].says == "It moves too differently" and rows[2].drives
    assert "held_out 0.0123" in rows[1].figures
    assert badge_of(AT_WORK, "version 120") == "version 120, +1"
    html = tandem_pieces.versions(rows, AT_WORK.versions)
    assert "version 180 was refused" in html and html.count("<tr>") == 4


def test_rolling_back_needs_a_version_that_drove_before():
    assert "No other version" in roll_back_refusal(AT_WORK)
    able = desk(versions=msgspec.structs.replace(AT_WORK.versions, before=90, before_run="/runs/w"))
    assert roll_back_refusal(able) == ""
    busy = desk(versions=msgspec.structs.replace(AT_WORK.versions, doing="version 150 is measured"))
    assert roll_back_refusal(busy) == "Wait: version 150 is measured"
