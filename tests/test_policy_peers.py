"""Peers learn from the same demonstrations as our policy and answer through the same protocol."""

from pathlib import Path

import numpy as np
import pytest
import torch
from doubles import toy_demonstrations as toy
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import TrainingError
from policy.interfaces import Held, Observation
from policy.peers.instruction_words import InstructionWords
from policy.peers.lerobot_build import PEER_KINDS, SETTINGS, PeerSettings
from policy.peers.lerobot_frames import PeerFrames, PeerLessons
from policy.peers.lerobot_training import PeerTrainer
from policy.peers.mlp import places_of
from policy.peers.object_picker import ObjectPicker, ObjectPlaces
from policy.peers.recipes import RECIPE_KINDS, PeerRun, RecipeKind, begin
from policy.runs.checkpoints import CheckpointError, load_policy
from policy.training.loop import Ending
from policy.training.schedule import Budget
from recorders.clock import ManualClock
from studio import cli

STEPS = 20
SIZE = (64, 96)
# The same networks, narrow: what is tested is that they learn and answer, not how well.
SMALL = {
    "act": PeerSettings(horizon=12, steps=12, rows=2, config=SETTINGS["act"].config | {
        "chunk_size": 12, "n_action_steps": 12, "dim_model": 32, "dim_feedforward": 32,
        "n_heads": 2, "n_encoder_layers": 1, "n_vae_encoder_layers": 1}),
    "diffusion": PeerSettings(horizon=16, steps=8, rows=2, config=SETTINGS["diffusion"].config | {
        "horizon": 16, "n_action_steps": 8, "down_dims": (16, 32), "num_inference_steps": 2,
        "spatial_softmax_num_keypoints": 8}),
}
needs_lerobot = [pytest.mark.slow, pytest.mark.timeout(600)]
KINDS = [pytest.param(kind, marks=needs_lerobot if kind in PEER_KINDS else [])
         for kind in RECIPE_KINDS]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return toy.make_store(tmp_path_factory.mktemp("toy") / "store", episodes=6)


@pytest.fixture(scope="module")
def exports(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("exports")


def begun(kind: RecipeKind, store: Path, folder: Path, exports: Path | None, steps: int = STEPS
          ) -> PeerRun:
    return begin(kind, [store], folder, budget=Budget(steps=steps), picture_size=SIZE,
                 exports=exports, settings=SMALL.get(kind))


def trained(run: PeerRun, listener=lambda report: None, stop=lambda: False) -> Ending:
    torch.set_num_threads(1)
    return run.trainer(ManualClock(), (listener,), stop).train()


@pytest.fixture(scope="module", params=KINDS)
def peer(request, store, exports, tmp_path_factory):
    """A peer after twenty steps: its run's folder, and how training ended."""
    folder = tmp_path_factory.mktemp("runs") / request.param
    return folder, trained(begun(request.param, store, folder, exports))


def seen(policy, instruction: str = "go to the red place") -> Observation:
    spec = policy.spec
    felt = 3 if spec.action_space == "joints" else \
        len(policy._description.normaliser.proprioception_mean)
    base = np.zeros(3) if spec.action_space == "joints" else np.array([.5, 0, .2, 1, 0, 0, 0, 1])
    return Observation(
        stamp_ns=10**9, base=base, proprioception=np.zeros(felt, np.float32),
        images={camera: toy.picture(camera, "red", 3) for camera in spec.cameras},
        instruction=instruction)


def test_a_peer_learns_and_answers_with_a_chunk_of_the_right_shape(peer):
    folder, ending = peer
    assert ending.step == STEPS and not ending.stopped and ending.metrics
    assert all(np.isfinite(value) for value in ending.metrics.values())
    policy = load_policy(folder)
    policy.reset(1)
    observation = seen(policy)
    chunk = policy.act(observation, policy.think(observation))
    width = 3 if policy.spec.action_space == "joints" else 8
    assert chunk.targets.shape == (policy.spec.steps, width) and np.isfinite(chunk.targets).all()
    assert chunk.targets[:, -1].min() >= 0 and chunk.targets[:, -1].max() <= 1
    assert chunk.space == policy.spec.action_space
    assert chunk.first_ns == observation.stamp_ns + policy.spec.step_ns
    assert (chunk.observation_ns, chunk.weights_version) == (observation.stamp_ns, STEPS)


def test_a_peer_says_the_same_for_the_same_seed_after_loading(peer):
    folder, _ = peer
    answers = []
    for policy in (load_policy(folder), load_policy(folder)):
        policy.reset(7)
        observation = seen(policy)
        answers.append(policy.act(observation, policy.think(observation)).targets)
    np.testing.assert_array_equal(*answers)


def test_a_peer_hears_the_instruction_and_keeps_what_is_held(peer):
    policy = load_policy(peer[0])
    chunks = []
    for instruction in ("go to the red place", "go to the blue place"):
        policy.reset(0)
        observation = seen(policy, instruction)
        chunks.append(policy.act(observation, policy.think(observation)).targets)
    assert np.abs(chunks[0] - chunks[1]).max() > 1e-6
    mask = np.zeros(chunks[0].shape, bool)
    mask[:2] = True
    held = Held(targets=np.full(mask.shape, 0.25), mask=mask)
    observation = seen(policy)
    kept = policy.act(observation, policy.think(observation), held).targets
    assert (kept[:2] == 0.25).all() and not (kept[2:] == 0.25).all()


def test_learning_on_the_state_gets_better(store, tmp_path):
    held_out = []
    for steps in (1, 80):
        ending = trained(begun("mlp-state", store, tmp_path / f"{steps}", None, steps))
        held_out.append(ending.metrics["loss"])
    assert held_out[1] < 0.5 * held_out[0]


def test_a_peer_that_is_stopped_leaves_a_checkpoint_that_drives(store, tmp_path):
    answers = iter([False] * 3 + [True] * 99)
    ending = trained(begun("mlp", store, tmp_path / "run", None), stop=lambda: next(answers))
    assert ending.stopped and ending.step == 3
    assert load_policy(tmp_path / "run").weights_version == 3


def test_nothing_is_trained_over_an_older_run_or_from_too_little(store, tmp_path):
    trained(begun("mlp-state", store, tmp_path / "run", None, steps=1))
    with pytest.raises(CheckpointError, match="holds a run already"):
        begun("mlp-state", store, tmp_path / "run", None)
    few = toy.make_store(tmp_path / "few", episodes=1)
    with pytest.raises(TrainingError):
        begun("mlp", few, tmp_path / "other", None)
    assert not (tmp_path / "other").exists()


def test_the_command_refuses_an_unknown_peer_and_two_budgets(store, tmp_path, capsys):
    assert cli.main(["train-peer", "pi0", str(store), "--to", str(tmp_path / "x")]) == 2
    assert "mlp-state" in capsys.readouterr().err
    assert cli.main(["train-peer", "mlp-state", str(store), "--to", str(tmp_path / "x"),
                     "--minutes", "1", "--steps", "1"]) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_the_command_trains_a_peer_that_can_be_loaded(store, tmp_path, capsys):
    assert cli.main(["train-peer", "mlp-state", str(store), "--to", str(tmp_path / "run"),
                     "--steps", "2", "--json"]) == 0
    assert '"step":2' in capsys.readouterr().out
    assert load_policy(tmp_path / "run").spec.action_space == "tool"


# ---- parts -------------------------------------------------------------------------------------


def test_words_tell_apart_what_their_order_means():
    words = InstructionWords.fitted(["stack red on green", "stack green on red"])
    codes = [words.encode(text) for text in ("stack red on green", "stack green on red")]
    assert (codes[0] != codes[1]).any()
    assert "stack" not in words.features       # all have it: it tells nothing
    assert words.encode("fetch the moon").sum() == 0


@given(st.lists(st.text("abc ", min_size=1), min_size=1, max_size=5))
def test_an_instruction_is_zeros_and_ones_that_say_what_it_has(texts):
    words = InstructionWords.fitted(texts)
    for text in texts:
        code = words.encode(text)
        assert set(np.unique(code)) <= {0.0, 1.0} and code.shape == (len(words),)
        for feature, value in zip(words.features, code, strict=True):
            assert value == (f" {feature} " in f" {' '.join(text.split())} ")


def frames(lengths=(8, 5), perturbed=()) -> PeerFrames:
    count = sum(lengths)
    begins = np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    return PeerFrames(
        state=np.arange(count, dtype=np.float32)[:, None].repeat(2, 1),
        action=np.arange(count, dtype=np.float32)[:, None].repeat(2, 1) + 100,
        perturbed=np.isin(np.arange(count), perturbed), tasks=["a b"] * count, begins=begins,
        ends=begins + np.repeat(lengths, lengths),
        images={"front": np.zeros((count, 3, 16, 24), np.uint8)})


def test_a_step_behind_an_episodes_end_or_a_deliberate_error_is_marked_as_padding():
    lessons = PeerLessons(frames(perturbed=[6]), InstructionWords.fitted(["a b"]), range(4),
                          hold_out=0)
    batch = lessons._batch(np.array([0, 4, 11]), None)
    assert batch["action_is_pad"].tolist() == [
        [False] * 4, [False, False, True, True], [False, False, True, True]]
    assert batch["action"][:, :, 0].tolist() == [[100, 101, 102, 103], [104, 105, 106, 107],
                                                 [111, 112, 112, 112]]
    assert batch["observation.state"].shape == (3, 2) and batch["observation.images.front"].shape \
        == (3, 3, 8, 16)


@given(seed=st.integers(0, 99), hold_out=st.floats(0.1, 0.8))
def test_an_episode_held_out_is_never_learned_from(seed, hold_out):
    lessons = PeerLessons(frames((4, 6, 5, 7)), InstructionWords.fitted(["a b"]), range(2),
                          hold_out=hold_out, seed=seed)
    rng = np.random.default_rng(seed)
    drawn = lessons.batch(rng, 60), lessons.held_out_batch(rng, 60)
    learned, held = ({int(row) for row in (batch or {})["observation.state"][:, 0]}
                     for batch in drawn)
    assert learned and held and not learned & held
    begins = frames((4, 6, 5, 7)).begins
    assert not {begins[row] for row in learned} & {begins[row] for row in held}


def test_keypoints_stand_where_the_picture_is_brightest():
    heat = torch.full((1, 2, 5, 9), -50.0)
    heat[0, 0, 0, 8] = heat[0, 1, 4, 4] = 50.0
    points = places_of(heat)
    # y of both points, then x of both: the upper right corner, and the middle of the lowest row
    np.testing.assert_allclose(points[0], [-1, 1, 1, 0], atol=1e-4)


def test_the_picker_sees_an_object_where_it_is_from_the_hand_wherever_both_are():
    picker = ObjectPicker(ObjectPlaces(0, 3, 17), [0.3] * 17, [0.05] * 17, words=1)
    raw = torch.randn(4, 17)
    moved = raw.clone()
    for first in (0, 3, 10):
        moved[:, first:first + 3] += torch.tensor([0.2, -0.1, 0.05])
    with torch.no_grad():
        for parameter in picker.choose.parameters():
            parameter.zero_()       # every object counts the same
        seen_before, seen_after = (picker((x - picker.mean) / picker.scale, torch.zeros(4, 1))
                                   for x in (raw, moved))
    assert seen_before.shape == (4, picker.width)
    np.testing.assert_allclose(seen_before[:, 3:], seen_after[:, 3:], atol=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_frozen_norms_are_settled_so_that_a_fresh_backbone_passes_on_what_it_sees(
        store, exports, tmp_path):
    run = begun("act", store, tmp_path / "run", exports)
    trainer = run.trainer(ManualClock(), (), lambda: False)
    assert isinstance(trainer, PeerTrainer)
    from torchvision.ops.misc import FrozenBatchNorm2d

    network = trainer._peer.network
    settled = [norm for norm in network.modules() if isinstance(norm, FrozenBatchNorm2d)]
    assert len(settled) == 20
    for norm in settled:
        assert norm.get_buffer("running_var").ne(1).all()
