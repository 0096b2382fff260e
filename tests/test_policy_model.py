"""Laws of the dual-system network, on small random ones."""

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.data.batches import Batch
from policy.data.normaliser import Normaliser
from policy.driving.dual_policy import DualPolicy
from policy.interfaces import Held, Latent, Observation, PolicySpec
from policy.network.building import DualDescription, build
from policy.network.config import DualConfig
from policy.network.dual_system import DualSystem
from policy.network.flow_head import random_holds
from policy.network.speech import Spoken, saying
from policy.words import WordTokenizer

INSTRUCTIONS = ("put the red cube in the bin", "push the button")
SUBTASKS = ("reach red cube for bin", "press button")
SIZE = (32, 64)
STEPS, ACTION, STATE = 8, 7, 17
SPEC = PolicySpec(cameras={"front": "rgb", "wrist": "rgb"}, picture_size=SIZE, steps=STEPS)


def describe(**changes: object) -> DualDescription:
    return DualDescription(
        spec=SPEC, config=DualConfig(**{"backbone_options": {"width": 32, "heads": 2},
                                        "action_tokens": 4} | changes),     # type: ignore[arg-type]
        normaliser=Normaliser(
            proprioception_mean=(0.0,) * STATE, proprioception_scale=(1.0,) * STATE,
            position_mean=(0.0,) * 3, position_scale=(1.0,) * 3, action_scale=(0.01,) * 6),
        words=WordTokenizer.fitted(INSTRUCTIONS + SUBTASKS).words,
        phrase_words=WordTokenizer.fitted(SUBTASKS).words, proprioception=STATE, action=ACTION,
        subtasks=SUBTASKS)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(params=[False, True], ids=["", "finds"])
def policy(request) -> DualPolicy:
    described = describe(finds=request.param)
    return DualPolicy(build(described), SPEC, described.normaliser)


def observation(seed: int = 0, *, instruction: str = INSTRUCTIONS[0], stamp_ns: int = 10**9
                ) -> Observation:
    rng = np.random.default_rng(seed)
    return Observation(
        stamp_ns=stamp_ns, instruction=instruction,
        images={name: rng.integers(0, 255, (*SIZE, 3), np.uint8) for name in SPEC.cameras},
        proprioception=rng.normal(size=STATE).astype(np.float32),
        base=np.array([0.4, 0.0, 0.2, 0.0, 1.0, 0.0, 0.0, 1.0]))


def read(model: DualSystem, seen: Observation) -> tuple[torch.Tensor, torch.Tensor]:
    ids, known = model.body.tokenizer.encode([seen.instruction])
    pictures = torch.from_numpy(np.stack(list(seen.images.values()))).permute(0, 3, 1, 2)
    return model.read(pictures[None].float() / 255, ids, known,
                      torch.from_numpy(seen.proprioception)[None])


@torch.no_grad()
def test_what_system_2_says_later_does_not_change_what_it_leaves(policy):
    model = policy.model
    tokens, known = read(model, observation())
    one, _, _ = model.speak(tokens, known, torch.tensor([[model.body.tokenizer.begin_id, 5, 6]]))
    other, _, _ = model.speak(tokens, known, torch.tensor([[model.body.tokenizer.begin_id, 7]]))
    trunk, _ = model.body.run(tokens, 0, model.trunk_blocks, mask=known)
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(one, model.bridge(trunk))


@torch.no_grad()
def test_word_by_word_it_says_what_the_whole_phrase_at_once_would_have_said(policy):
    model = policy.model
    tokens, known = read(model, observation())
    trunk, cache = model.body.run(tokens, 0, model.trunk_blocks, mask=known)
    *_, spoken = saying(model, model.bridge(trunk), cache, known, model.hints(trunk), most=5)
    words = spoken.words[0]
    heard = torch.tensor([[model.body.tokenizer.begin_id, *words]])
    _, logits, _ = model.speak(tokens, known, heard)
    assert logits[0].argmax(-1)[:len(words)].tolist() == words


@torch.no_grad()
def test_the_whole_phrase_is_text_that_anybody_may_ask_for(policy):
    model, seen = policy.model, observation()
    ids, known = model.body.tokenizer.encode([seen.instruction])
    pictures = torch.from_numpy(np.stack(list(seen.images.values()))).permute(0, 3, 1, 2)
    said = model.generate_text(pictures[None].float() / 255, ids, known,
                               torch.from_numpy(seen.proprioception)[None])
    assert said == [policy.think(seen).subtask]


@torch.no_grad()
def test_what_it_points_at_is_named_likelier_whatever_is_to_be_done_with_it():
    phrases = ("reach red cube", "grasp red cube", "reach blue cube", "done")
    described = msgspec.structs.replace(
        describe(finds=True), subtasks=phrases, words=WordTokenizer.fitted(phrases).words)
    model = build(described)
    words, found = model.body.tokenizer, model.found
    assert found is not None
    hints = torch.tensor([[0.0, 3.0, 1.0, 9.0]])
    plain = torch.zeros(1, 4, words.vocabulary_size)
    raised = found.hinted(plain, hints)[0]
    red, cube, blue = words.encode(["red cube blue"])[0][0].tolist()
    assert not raised[0].any() and not raised[3].any()          # no verb, and nothing after the end
    assert raised[1].nonzero()[:, 0].tolist() == sorted((red, blue))
    assert (raised[1, red], raised[1, blue], raised[2, cube]) == (3.0, 1.0, 4.0)
    torch.testing.assert_close(found.hinted(plain[:, 2:3], hints, 2)[0, 0], raised[2])


@torch.no_grad()
@pytest.mark.parametrize("cloud", [False, True])
def test_system_2_reads_where_the_eye_finds_each_thing(cloud):
    described = msgspec.structs.replace(
        describe(finds=True), spec=msgspec.structs.replace(SPEC, cloud_points=32 if cloud else 0))
    model = build(described)
    if model.target.unproject is not None:              # as if it had been trained
        model.target.unproject.solution.normal_()
    pictures, state = torch.rand(2, 2, 3, *SIZE), torch.zeros(2, STATE)
    ids, known = model.body.tokenizer.encode(list(INSTRUCTIONS))
    points = torch.randn(2, 32, 6) if cloud else None

    def tokens() -> torch.Tensor:
        things = len(SUBTASKS)
        return model.read(pictures, ids, known, state, points)[0][:, -6 - things:-6]

    before = tokens()
    if points is not None:
        points[1] += 0.5
    else:
        pictures[1, 0] = pictures[1, 0].flip(-1)
    torch.testing.assert_close(tokens()[0], before[0])
    assert (tokens()[1] - before[1]).abs().max() > 1e-6
    assert len(model.query) == 6


def test_system_1_hears_the_instruction_only_through_system_2(policy):
    latent = policy.think(observation())
    chunks = []
    for instruction in INSTRUCTIONS:
        policy.reset(3)
        chunks.append(policy.act(observation(1, instruction=instruction), latent).targets)
    np.testing.assert_array_equal(*chunks)


def test_slices_and_one_piece_think_the_same(policy):
    whole = policy.think(observation())
    *pieces, last = policy.think_slices(observation())
    assert len(pieces) >= policy.model.trunk_blocks and all(piece is None for piece in pieces)
    assert last is not None and last.subtask == whole.subtask
    torch.testing.assert_close(last.payload.latents, whole.payload.latents)


def test_the_same_seed_gives_the_same_chunk_and_another_one_another(policy):
    latent = policy.think(observation())
    made = []
    for seed in (1, 1, 2):
        policy.reset(seed)
        made.append(policy.act(observation(), latent).targets)
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[0] - made[2]).max() > 1e-4


def test_a_chunk_says_what_it_was_made_from(policy):
    latent = policy.think(observation(stamp_ns=5 * 10**8))
    chunk = policy.act(observation(stamp_ns=10**9), latent)
    assert chunk.targets.shape == (STEPS, 8)
    assert (chunk.latent_id, chunk.latent_ns) == (latent.latent_id, 5 * 10**8)
    assert chunk.first_ns == 10**9 + SPEC.step_ns
    np.testing.assert_allclose(np.linalg.norm(chunk.targets[:, 3:7], axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("steps", [0, 1, 4, 10])
def test_a_held_prefix_and_gripper_come_out_as_they_went_in(policy, steps):
    policy.flow_steps = steps
    base = observation().base
    targets = np.tile(base, (STEPS, 1))
    targets[:, 0] += 0.004 * np.arange(1, STEPS + 1)
    targets[:, -1] = 0.25
    mask = np.zeros((STEPS, 8), bool)
    mask[:3], mask[:, -1] = True, True
    chunk = policy.act(observation(), policy.think(observation()), Held(targets, mask))
    np.testing.assert_allclose(chunk.targets[:3], targets[:3], atol=1e-6)
    np.testing.assert_allclose(chunk.targets[:, -1], 0.25, atol=1e-6)


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_place_that_is_held_behind_the_prefix_is_led_through_and_the_rest_planned(policy, steps):
    policy.flow_steps = steps
    free = policy.act(observation(), policy.think(observation())).targets
    targets, mask = np.tile(observation().base, (STEPS, 1)), np.zeros((STEPS, 8), bool)
    mask[:2] = True                                     # it stands, and then …
    targets[5, 1], mask[5, 1] = free[5, 1] + 0.02, True
    chunk = policy.act(observation(), policy.think(observation()), Held(targets, mask)).targets
    np.testing.assert_allclose(chunk[:2, :3], targets[:2, :3], atol=1e-6)
    np.testing.assert_allclose(chunk[5, 1], targets[5, 1], atol=1e-6)
    assert np.abs(np.diff(chunk[:, :3], axis=0)).max() < 0.05


@given(share=st.floats(0.0, 1.0), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_holds_are_prefixes_or_chosen_numbers_and_as_frequent_as_asked(share, seed):
    generator = torch.Generator().manual_seed(seed)
    holds = random_holds((64, 4), STEPS, ACTION, share, generator)
    assert set(holds.unique().tolist()) <= {0.0, 1.0}
    assert holds.flatten(0, 1).any(1).float().mean() <= share + 0.15
    if share == 0.0:
        assert not holds.any()


def test_words_that_it_never_met_are_not_understood_however_sure_it_is(policy):
    sure = [0.9, 0.9, 0.9]
    assert policy.understands(INSTRUCTIONS[0], sure)
    assert policy.understands("kindly put the red thing away", sure)
    assert not policy.understands("frobnicate the whatsit", sure)
    assert not policy.understands("of the in", sure)


def test_it_may_hesitate_about_what_to_do_next_but_not_about_with_what(policy):
    assert policy.understands(INSTRUCTIONS[0], [0.4, 0.9, 0.9])
    assert not policy.understands(INSTRUCTIONS[0], [0.9, 0.4, 0.9])
    assert not policy.understands(INSTRUCTIONS[0], [])


def test_a_close_call_does_not_change_its_mind_but_new_words_from_the_operator_do(
        policy, monkeypatch):
    def think(words: str, sure: float, instruction_id: int = 0) -> Latent:
        ids = policy.model.body.tokenizer.encode([words])[0][0].tolist()
        said = [one for one in ids if policy.model.body.tokenizer.decode([one])]
        monkeypatch.setattr("policy.driving.dual_policy.saying", lambda *_: iter(
            [Spoken([said], [[sure, *[1.0] * (len(said) - 1)]], [[0.1] * len(said)])]))
        seen = msgspec.structs.replace(observation(), instruction_id=instruction_id)
        return policy.think(seen)

    other, one = SUBTASKS
    policy.reset()
    first = think(one, 0.6)
    kept = think(other, 0.6)
    assert first.subtask == kept.subtask == one
    assert torch.equal(kept.payload.code, first.payload.code)
    assert think(other, 0.9).subtask == other
    assert think(one, 0.6, instruction_id=1).subtask == one
    policy.reset()
    assert think(other, 0.6).subtask == other


@pytest.mark.parametrize("changes", [
    {"shared": 0}, {"shared": 1}, {"shared": 4}, {"latents": 0}, {"latents": 16},
    {"pooled": True}, {"fast_eye": False}, {"code": "instruction"}, {"action_tokens": 1}])
def test_every_ablation_thinks_and_acts(changes):
    description = describe(**changes)
    policy = DualPolicy(build(description), SPEC, description.normaliser)
    chunk = policy.act(observation(), policy.think(observation()))
    assert np.isfinite(chunk.targets).all()


def test_system_1_shares_its_blocks_with_system_2_unless_told_otherwise():
    shared, apart = build(describe()), build(describe(shared=0))
    assert shared.own is None
    assert apart.own is not None
    tail = shared.tail_parameters()
    assert "backbone.body.3.qkv.weight" in tail and "backbone.body.1.qkv.weight" not in tail
    assert not any(name.startswith(("backbone.word", "code.")) for name in tail)


def test_a_description_survives_a_checkpoints_json():
    description = describe(shared=1)
    again = msgspec.json.decode(msgspec.json.encode(description), type=DualDescription)
    assert again == description


def test_what_is_measured_is_zero_for_a_network_that_answers_as_recorded(policy):
    model = policy.model.eval()
    policy.model.config = msgspec.structs.replace(model.config, flow_steps=0)
    batch = _batch(torch.zeros(4, STEPS, ACTION))
    with torch.no_grad():
        for parameter in model.direct[-1].parameters():
            parameter.zero_()
    assert model.measure(batch)["action error"] == 0.0
    assert model.measure(_batch(torch.ones(4, STEPS, ACTION)))["action error"] == 1.0


def test_training_on_a_batch_teaches_both_systems(policy):
    model, batch = policy.model.train(), _batch(torch.full((4, STEPS, ACTION), 0.5))
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    before = {name: float(part) for name, part in model.loss(batch)[1].items()}
    for _ in range(60):
        loss, _ = model.loss(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    after = {name: float(part) for name, part in model.loss(batch)[1].items()}
    assert after["direct"] < before["direct"] / 2
    assert after["speech"] < before["speech"] / 2
    assert after["target"] < before["target"] / 2
    assert model.eval().measure(batch)["words right"] == 1.0


def _batch(actions: torch.Tensor) -> Batch:
    """Two pairs."""
    rows, generator = len(actions), torch.Generator().manual_seed(1)
    return Batch(
        images=torch.randint(0, 255, (rows, 2, 3, *SIZE), dtype=torch.uint8, generator=generator),
        proprioception=torch.randn(rows, STATE, generator=generator), actions=actions,
        action_valid=torch.ones(rows, STEPS), event=torch.randn(rows, 3, generator=generator),
        event_valid=torch.ones(rows), age_steps=torch.tensor([0.0, 0.0, 5.0, 9.0]),
        instruction=list(INSTRUCTIONS), subtask=list(SUBTASKS), subtask_now=list(SUBTASKS * 2))
