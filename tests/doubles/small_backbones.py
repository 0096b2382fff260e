"""Every backbone at a few thousand numbers, with random weights: its code without its size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from policy.backbones.byte_tokenizer import ByteTokenizer
from policy.backbones.compact import Compact
from policy.backbones.compact_pretrained import CompactPretrained
from policy.backbones.efficientnet import EfficientNetLite
from policy.backbones.llama import Llama, LlamaShape
from policy.backbones.lora import freeze, restrict
from policy.backbones.minilm import MiniLM, SentenceReader
from policy.words import WordTokenizer

SIZE, CAMERAS = (32, 64), 2
TEXTS = ("put the red cube in the bin", "open the drawer", "reach red cube for bin")
WORDS = WordTokenizer.fitted(TEXTS).words

LLAMA = LlamaShape(width=32, blocks=4, heads=4, key_heads=2, mlp_width=48, vocabulary=259)
VISION: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 32, "patch_size": 8}
TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 264, "head_dim": 8}
SIGLIP = {"model_type": "siglip_vision_model", "vision_use_head": False, **VISION}
VLMS: dict[str, dict[str, Any]] = {
    "smolvlm": {"model_type": "smolvlm", "scale_factor": 2, "vision_config": VISION,
                "text_config": {"model_type": "llama", **TEXT}},
    "paligemma": {"model_type": "paligemma", "projection_dim": 32, "vision_config": SIGLIP,
                  "text_config": {"model_type": "gemma", **TEXT}},
    "prismatic": {"model_type": "llama", **TEXT,
                  "towers": [{"model_type": "dinov2", **VISION}, SIGLIP]}}


def compact(_: Path) -> nn.Module:
    return Compact(WordTokenizer(WORDS), SIZE, CAMERAS, width=32, heads=2)


def reader(folder: Path) -> SentenceReader:
    """One that has read nothing: random weights, and pieces of two letters."""
    tokenizers = pytest.importorskip("tokenizers")
    width, layers = 16, 2
    letters = [chr(97 + i) for i in range(26)] + [str(i) for i in range(10)] + ["'"]
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = [*marks, *letters, *("##" + letter for letter in letters), *WORDS]
    whole = tokenizers.Tokenizer(tokenizers.models.WordPiece(
        {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}, unk_token="[UNK]"))
    whole.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    whole.add_special_tokens(marks)
    path = folder / "tokenizer.json"
    whole.save(str(path))
    shapes = {"word_embeddings.weight": (len(pieces), width),
              "position_embeddings.weight": (512, width),
              "token_type_embeddings.weight": (2, width),
              "LayerNorm.weight": (width,), "LayerNorm.bias": (width,)}
    layer = {"attention.self.query": (width, width), "attention.self.key": (width, width),
             "attention.self.value": (width, width), "attention.output.dense": (width, width),
             "attention.output.LayerNorm": (width,), "intermediate.dense": (32, width),
             "output.dense": (width, 32), "output.LayerNorm": (width,)}
    named = {f"embeddings.{name}": shape for name, shape in shapes.items()}
    for number in range(layers):
        for name, shape in layer.items():
            named[f"encoder.layer.{number}.{name}.weight"] = shape
            named[f"encoder.layer.{number}.{name}.bias"] = shape[:1]
    weights = {name: torch.randn(shape) for name, shape in named.items()}
    return SentenceReader(MiniLM(weights, layers, heads=2), path)


def compact_pretrained(folder: Path) -> CompactPretrained:
    network = EfficientNetLite()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):        # without norms as loud behind as before
            nn.init.kaiming_normal_(layer.weight)
    freeze(network)
    return CompactPretrained(WORDS, SIZE, CAMERAS, reader=reader(folder), network=network,
                             width=32, heads=2)


def llama(_: Path) -> nn.Module:
    return Llama(LLAMA, ByteTokenizer(), SIZE, CAMERAS)


def adapted_llama(_: Path) -> nn.Module:
    backbone = Llama(LLAMA, ByteTokenizer(), SIZE, CAMERAS)
    restrict(backbone.body, [backbone.word], ("query", "key", "value", "down"), "adapters", 2)
    return backbone


def vlm(name: str) -> Callable[[Path], nn.Module]:
    def build(_: Path) -> nn.Module:
        pytest.importorskip("transformers")
        from policy.backbones.vlm_models import vlm as made

        return made(VLMS[name])
    return build


BACKBONES: dict[str, Callable[[Path], nn.Module]] = {
    "compact": compact, "compact-pretrained": compact_pretrained, "llama": llama,
    "adapted-llama": adapted_llama, **{name: vlm(name) for name in VLMS}}
