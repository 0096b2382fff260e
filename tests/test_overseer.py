"""The simulated person: leaves a good policy alone, helps a bad one, and all of it is recorded."""

from collections.abc import Iterator

import numpy as np
import pytest
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy
from doubles.rule_policy_files import LOADER, write

from policy.data.signals import EpisodeSignals
from policy.data.whose import Whose, whose_ticks
from policy.interfaces import Chunk, Held, Latent, Observation
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio import cli
from studio.sim.overseer import Overseer, Person
from studio.station.launch import SessionRequest, run_session
from studio.station.messages import Mode, Owner
from studio.station.recording.rollout_rules import check_rollout
from studio.station.serving.policy_process import PolicyChoice
from studio.station.session import Outcome, SessionPlan

pytestmark = pytest.mark.gl
PERSON = Person(inattention=0.0)


class Lazy(RulePolicy):
    """Wants nothing but to stay where it is, until the hand is down at the table."""

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        chunk = super().act(observation, latent, held)
        if observation.base[2] > 0.1:
            chunk.targets[:] = observation.base
        return chunk


class Astray(RulePolicy):
    """Goes aside for a second and a half, as if it were to do something else, and stays there."""

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        chunk = super().act(observation, latent, held)
        chunk.targets[:] = observation.base
        if len(self.acted_on) < 12:
            chunk.targets[:, 1] += 0.004 * np.arange(1, len(chunk.targets) + 1)
        return chunk


class Pusher(RulePolicy):
    """Leans on the table at first."""

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        chunk = super().act(observation, latent, held)
        if len(self.acted_on) < 25:
            down = observation.base.copy()
            down[2] = -0.05
            share = np.linspace(0.1, 1.0, len(chunk.targets))[:, None]
            chunk.targets[:] = observation.base + share * (down - observation.base)
        return chunk


@pytest.fixture
def desk() -> Iterator[RolloutDesk]:
    made: list[RolloutDesk] = []

    def make(policy: RulePolicy, person: Person = PERSON) -> RolloutDesk:
        made.append(RolloutDesk(policy, teleop=Overseer(person)))
        return made[-1]

    yield make                                          # type: ignore[misc]
    for one in made:
        one.robot.disconnect()


def until_success(desk: RolloutDesk, longest: int = 3000) -> list[np.void]:
    """Drive to success; returns the rows."""
    desk.begin(5004)
    rows = []
    while desk.station.detected() != "success" and len(rows) < longest:
        rows += desk.ticks(1)
    assert desk.station.detected() == "success"
    return rows


def test_a_policy_that_gets_on_is_left_alone(desk):
    rows = until_success(desk(RulePolicy()))
    assert {Mode(row["mode"]) for row in rows} == {Mode.AUTO}


def test_who_goes_back_first_corrects_from_where_it_went_wrong(desk):
    made = desk(Astray(), Person(inattention=0.0, patience_s=1.0, rewind_s=1.0))
    made.begin(5004)
    rows = made.ticks(250)
    back = next(i for i, row in enumerate(rows) if row["rewinds"] == 1)
    took = next(i for i, row in enumerate(rows) if row["mode"] == Mode.HUMAN)
    assert back <= took <= back + 3                             # with their hand at the device
    assert 0.9e9 < rows[back]["t_mono_ns"] - rows[back]["rewound_ns"] < 1.2e9
    assert rows[took]["intervention"] == 1


def test_a_policy_that_gets_nowhere_is_helped_after_patience_and_reaction(desk):
    rows = until_success(desk(Lazy()))
    first = next(i for i, row in enumerate(rows) if row["mode"] == Mode.HUMAN)
    waited_s = first / 100
    longest_s = 2 * PERSON.patience_s + 1               # they look from the reset on
    assert PERSON.patience_s + PERSON.reaction_s - 0.2 <= waited_s < longest_s
    assert {int(row["intervention"]) for row in rows} >= {0, 1}
    after = [Mode(row["mode"]) for row in rows[first:]]
    assert Mode.HANDBACK in after and Mode.AUTO in after        # and lets go when it gets on


def test_an_arm_that_the_safety_layer_holds_is_armed_freed_and_given_back(desk):
    rows = until_success(desk(Pusher()))
    modes = [Mode(row["mode"]) for row in rows]
    held = modes.index(Mode.HOLD)
    freed = modes.index(Mode.HUMAN, held)
    assert all(row["intervention"] > 0 for row in rows[freed:freed + 10])
    assert Mode.AUTO in modes[freed:]


def test_the_same_person_steps_in_at_the_same_moments_again(desk):
    inattentive = Person(inattention=0.5)
    one, other = (until_success(desk(Lazy(), inattentive)) for _ in range(2))
    assert [int(row["intervention"]) for row in one] == [int(row["intervention"]) for row in other]
    assert sum(row["mode"] == Mode.HUMAN for row in one) > 20


def test_rollouts_with_the_overseer_are_recorded_with_who_did_what(tmp_path):
    request = SessionRequest(
        plan=SessionPlan(tasks=("push-button",), seed=5000, policy=True, max_duration_s=30.0),
        teleop="overseer", store=str(tmp_path / "store"), fast=True, image_size=(48, 64),
        policy=PolicyChoice(policy=str(write(tmp_path / "run", 3)), loader=LOADER))
    outcomes: list[Outcome] = []
    assert run_session(request, on_outcome=outcomes.append) == ""
    outcome, = outcomes
    assert outcome.detector == "success" and outcome.interventions >= 1
    assert outcome.policy is not None and outcome.policy.weights_version == 3
    with DemoStore.open(tmp_path / "store") as store:
        episode = store.episodes()[0]
        signals = EpisodeSignals(EpisodeReader(store.episode_path(episode.episode)))
    stamps_ns, whose = whose_ticks(signals)
    driven_s = np.sum(whose == Whose.CORRECTION) * (stamps_ns[1] - stamps_ns[0]) / NS_PER_S
    assert driven_s == pytest.approx(outcome.operator_s, abs=0.05)
    assert driven_s > 0.5


def test_a_person_who_shares_the_arm_from_the_beginning_has_half_a_say_in_every_episode(tmp_path):
    request = SessionRequest(
        plan=SessionPlan(tasks=("push-button",), seed=5000, policy=True, max_duration_s=12.0,
                         human_share=0.5),
        teleop="overseer", store=str(tmp_path / "store"), fast=True, image_size=(48, 64),
        policy=PolicyChoice(policy=str(write(tmp_path / "run", 3)), loader=LOADER))
    assert run_session(request) == ""
    with DemoStore.open(tmp_path / "store") as store:
        episode = EpisodeReader(store.episode_path(store.episodes()[0].episode))
    tick = episode["tick"]
    both = tick["owner"][:, 0] == Owner.BLEND
    assert both.any() and (tick["human_share"][both][:, :6] == 0.5).all()
    assert Mode.HUMAN not in tick["mode"]
    assert "sharing" in {event["kind"] for event in episode.events}
    assert check_rollout(episode).findings == ()


def test_rollouts_without_anybody_run_as_fast_as_they_can_too(tmp_path):
    request = SessionRequest(
        plan=SessionPlan(tasks=("push-button",), seed=5000, policy=True, max_duration_s=0.3,
                         practice=True),
        teleop="none", fast=True, image_size=(48, 64),
        policy=PolicyChoice(policy=str(write(tmp_path / "run", 3)), loader=LOADER))
    outcomes: list[Outcome] = []
    assert run_session(request, on_outcome=outcomes.append) == ""
    assert outcomes[0].policy is not None and outcomes[0].policy.weights_version == 3


@pytest.mark.parametrize(("words", "says"), [
    (("--robot", "gym:pusht", "--teleop", "overseer"), "knows the simulated arm only"),
    (("--delay-ms", "20", "10"), "--delay-ms is for --fast"),
    (("--fast", "--teleop", "keyboard"), "faster than a hand"),
])
def test_what_makes_no_sense_is_refused_in_one_line(capsys, words, says):
    assert cli.main(["rollout", "--policy", "nowhere", *words]) == 2
    assert says in capsys.readouterr().err
