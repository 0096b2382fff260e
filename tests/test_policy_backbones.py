"""Laws of every backbone, each at a few thousand numbers with random weights."""

from typing import Any

import pytest
import torch
from doubles.small_backbones import BACKBONES, CAMERAS, SIZE, TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.backbones.byte_tokenizer import ByteTokenizer
from policy.backbones.interface import Backbone, Cache, causal_mask
from policy.backbones.places import places
from policy.network.config import DualConfig
from policy.network.dual_system import DualSystem

LAWS = settings(max_examples=8)
SEEDS = st.integers(0, 10_000)


@pytest.fixture(scope="module", params=list(BACKBONES))
def backbone(request, tmp_path_factory) -> Any:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return BACKBONES[request.param](tmp_path_factory.mktemp("pieces")).eval()


def tokens(backbone: Backbone, count: int, seed: int, rows: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, count, backbone.width, generator=generator)


def close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


def close_caches(one: Cache, other: Cache) -> None:
    assert len(one) == len(other)
    for ours, theirs in zip(one, other, strict=True):
        close(ours[0], theirs[0])
        close(ours[1], theirs[1])


@torch.no_grad()
@LAWS
@given(data=st.data(), count=st.integers(1, 7), seed=SEEDS)
def test_blocks_run_in_two_parts_do_what_they_do_in_one(backbone, data, count, seed):
    cut = data.draw(st.integers(0, backbone.blocks))
    x = tokens(backbone, count, seed)
    whole, cache = backbone.run(x, 0, backbone.blocks)
    first, cache_first = backbone.run(x, 0, cut)
    second, cache_second = backbone.run(first, cut, backbone.blocks)
    close(second, whole)
    close_caches(cache_first + cache_second, cache)
    assert len(cache) == backbone.blocks and cache[0][0].shape[2] == count


@torch.no_grad()
@LAWS
@given(data=st.data(), count=st.integers(2, 8), seed=SEEDS)
def test_a_run_over_a_cache_is_the_rest_of_a_causal_run(backbone, data, count, seed):
    cut = data.draw(st.integers(1, count - 1))
    x = tokens(backbone, count, seed)
    whole, cache = backbone.run(x, 0, backbone.blocks, mask=causal_mask(count, 0))
    _, begun = backbone.run(x[:, :cut], 0, backbone.blocks, mask=causal_mask(cut, 0))
    rest, grown = backbone.run(x[:, cut:], 0, backbone.blocks, begun,
                               causal_mask(count - cut, cut))
    close(rest, whole[:, cut:])
    close_caches(grown, cache)


@torch.no_grad()
def test_a_cache_is_never_changed(backbone):
    _, cache = backbone.run(tokens(backbone, 4, 0), 0, backbone.blocks)
    before = [(key.clone(), value.clone()) for key, value in cache]
    _, grown = backbone.run(tokens(backbone, 3, 1), 0, backbone.blocks, cache)
    for (key, value), (old_key, old_value) in zip(cache, before, strict=True):
        assert torch.equal(key, old_key) and torch.equal(value, old_value)
    assert grown[0][0].shape[2] == 7


@torch.no_grad()
@LAWS
@given(data=st.data(), count=st.integers(2, 6), padding=st.integers(1, 4), seed=SEEDS)
def test_padding_changes_nothing_wherever_it_lies(backbone, data, count, padding, seed):
    at, split = data.draw(st.integers(0, count)), data.draw(st.integers(1, count + padding - 1))
    x = tokens(backbone, count, seed)
    whole, _ = backbone.run(x, 0, backbone.blocks)
    padded = torch.cat([x[:, :at], 9 * tokens(backbone, padding, seed + 1), x[:, at:]], 1)
    there = torch.ones(1, 1, 1, count + padding, dtype=torch.bool)
    there[..., at:at + padding] = False
    seen, _ = backbone.run(padded, 0, backbone.blocks, mask=there)
    close(torch.cat([seen[:, :at], seen[:, at + padding:]], 1), whole)

    # The same over a cache, as System 2 speaks behind a padded instruction.
    causal = causal_mask(count, 0)
    whole, _ = backbone.run(x, 0, backbone.blocks, mask=causal)
    causal = causal_mask(count + padding, 0) & there
    _, begun = backbone.run(padded[:, :split], 0, backbone.blocks,
                            mask=causal[:, :, :split, :split])
    rest, _ = backbone.run(padded[:, split:], 0, backbone.blocks, begun, causal[:, :, split:])
    kept = there[0, 0, 0, split:]
    close(rest[:, kept], whole[:, count - int(kept.sum()):])


@torch.no_grad()
@LAWS
@given(context=st.integers(1, 5), draws=st.integers(2, 3), each=st.integers(1, 4), seed=SEEDS)
def test_draws_that_do_not_see_each_other_are_as_if_alone(backbone, context, draws, each, seed):
    last = backbone.blocks - 2, backbone.blocks
    _, cache = backbone.run(tokens(backbone, context, seed), *last)
    x = tokens(backbone, draws * each, seed + 1)
    draw = torch.arange(draws * each) // each
    mask = torch.cat([torch.ones(draws * each, context, dtype=torch.bool),
                      draw[:, None] == draw[None]], 1)[None, None]
    together, _ = backbone.run(x, *last, cache, mask)
    alone = [backbone.run(part, *last, cache)[0] for part in x.split(each, 1)]
    close(together, torch.cat(alone, 1))


@torch.no_grad()
def test_order_matters_exactly_if_the_backbone_says_so(backbone):
    x = tokens(backbone, 5, 0)
    turned = torch.arange(4, -1, -1)
    one, _ = backbone.run(x, 0, backbone.blocks)
    other, _ = backbone.run(x[:, turned], 0, backbone.blocks)
    alike = torch.allclose(one[:, turned], other, atol=1e-4)
    assert alike != backbone.ordered


@torch.no_grad()
def test_it_is_as_wide_and_deep_as_it_says(backbone):
    ids, known = backbone.tokenizer.encode(TEXTS[:2])
    words = backbone.embed_text(ids)
    assert words.shape == (*ids.shape, backbone.width) and known.shape == ids.shape
    pictures = backbone.embed_images(torch.rand(2, CAMERAS, 3, *SIZE))
    assert pictures.shape[0] == 2 and pictures.shape[2] == backbone.width
    assert pictures.shape[1] % CAMERAS == 0
    x, cache = backbone.run(torch.cat([words, pictures], 1), 0, backbone.blocks)
    assert len(cache) == backbone.blocks
    assert backbone.words(x).shape[-1] >= backbone.tokenizer.vocabulary_size
    assert torch.isfinite(backbone.words(x)).all()


@torch.no_grad()
def test_picture_tokens_know_what_and_where(backbone):
    picture = torch.zeros(1, CAMERAS, 3, *SIZE)
    picture[:, 0, :, :16, :16] = 1
    there = backbone.embed_images(picture)
    elsewhere = backbone.embed_images(picture.flip(-1))
    assert not torch.allclose(there, elsewhere, atol=1e-4)
    first, second = there.chunk(2, 1)
    assert not torch.allclose(first, second, atol=1e-4)


@torch.no_grad()
def test_one_cameras_tokens_do_not_depend_on_the_others_picture(backbone):
    picture = torch.rand(1, CAMERAS, 3, *SIZE)
    other = picture.clone()
    other[:, 1] = torch.rand(3, *SIZE)
    one, two = backbone.embed_images(picture), backbone.embed_images(other)
    half = one.shape[1] // CAMERAS
    close(one[:, :half], two[:, :half])
    assert not torch.allclose(one[:, half:], two[:, half:], atol=1e-4)


@given(words=st.lists(st.sampled_from(sorted(set(" ".join(TEXTS).split()))), min_size=1,
                      max_size=8))
def test_text_comes_back(backbone, words):
    text, tokenizer = " ".join(words), backbone.tokenizer
    ids, known = tokenizer.encode([text, "bin"])
    assert tokenizer.decode(ids[0][known[0]].tolist()) == text
    assert tokenizer.decode([*ids[0][known[0]].tolist(), tokenizer.end_id, 5]) == text
    assert (ids[~known] == tokenizer.pad_id).all()
    assert ids.max() < tokenizer.vocabulary_size


def test_padding_beginning_and_end_are_three_tokens(backbone):
    tokenizer = backbone.tokenizer
    assert len({tokenizer.pad_id, tokenizer.begin_id, tokenizer.end_id}) == 3
    assert tokenizer.decode([tokenizer.begin_id, tokenizer.end_id]) == ""
    ids, known = tokenizer.encode(["", "bin"])
    assert known.any(1).all(), "even nothing is a token, for attention must look somewhere"
    assert ids.shape == known.shape


@given(text=st.text(max_size=20))
def test_bytes_bring_any_text_back(text):
    words = ByteTokenizer()
    ids, known = words.encode([text])
    assert words.decode(ids[0][known[0]].tolist()) == text


@torch.no_grad()
def test_system_2_says_word_by_word_what_it_was_taught_at_once(backbone):
    """Two instructions of unlike length in a batch, and each by itself."""
    model = DualSystem(DualConfig(shared=2, latents=3), backbone, ["reach"], cameras=CAMERAS,
                       proprioception=9, steps=4, action=7).eval()
    words = backbone.tokenizer
    ids, known = words.encode(["put the red cube in the bin"[:20], "bin"])
    images, state = torch.rand(2, CAMERAS, 3, *SIZE), torch.randn(2, 9)
    tokens_read, there = model.read(images, ids, known, state)
    said = words.encode(["bin", "bin"])[0]
    begun = torch.cat([torch.full((2, 1), words.begin_id), said], 1)
    z, logits, _ = model.speak(tokens_read, there, begun)

    row = known[1].sum()
    alone, there_alone = model.read(images[1:], ids[1:, :row], known[1:, :row], state[1:])
    trunk, cache = model.body.run(alone, 0, model.trunk_blocks, mask=there_alone)
    close(model.bridge(trunk), z[1:])
    _, tail = model.body.run(model.bridge(trunk) + model.role[0], model.trunk_blocks,
                             model.body.blocks)
    for place, word in enumerate(begun[1]):
        grown = torch.cat([there_alone, there_alone.new_ones(1, 1, 1, place + 1)], -1)
        x, cache = model.body.run(model.speech_tokens(word[None, None], place), 0,
                                  model.trunk_blocks, cache, grown)
        x, tail = model.body.run(x, model.trunk_blocks, model.body.blocks, tail)
        close(model.body.words(x)[:, 0], logits[1:, place])


def test_everything_that_learns_gets_a_gradient_and_is_in_the_state_dict(backbone):
    ids, _ = backbone.tokenizer.encode(TEXTS)
    words = backbone.embed_text(ids)
    begun = backbone.embed_text(torch.full((3, 1), backbone.tokenizer.begin_id))
    unknown = backbone.embed_text(torch.zeros(3, 1, dtype=torch.long))
    pictures = backbone.embed_images(torch.rand(3, CAMERAS, 3, *SIZE))
    x, _ = backbone.run(torch.cat([words, begun, unknown, pictures], 1), 0, backbone.blocks)
    backbone.zero_grad()
    backbone.words(x).square().mean().backward()
    state = backbone.state_dict()
    for name, weight in backbone.named_parameters():
        if not name.endswith("mask_token"):     # of DINOv2's own training
            assert weight.grad is not None, name
        assert name in state
    backbone.zero_grad()


@given(rows=st.integers(1, 2), new=st.integers(1, 4), seen=st.integers(0, 3), data=st.data())
def test_a_token_stands_behind_those_before_it_that_it_sees(rows, new, seen, data):
    shape = rows, 1, new, seen + new
    bits = data.draw(st.lists(st.booleans(), min_size=rows * new * (seen + new),
                              max_size=rows * new * (seen + new)))
    mask = torch.tensor(bits).view(shape)
    found = places(mask, new, seen)
    for row in range(rows):
        for token in range(new):
            assert found[row, token] == mask[row, 0, token, :seen + token].sum()
    assert places(None, new, seen).tolist() == [list(range(seen, seen + new))]
