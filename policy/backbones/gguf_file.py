"""A language model in llama.cpp's file format (GGUF) to ours, once.

Reading the file takes many seconds, so what comes out of it is kept: a safetensors file with the
weights at half precision, which is finer than the 4 bits they were in, and a tokenizer. Only the
Llama architecture with a GPT-2 style vocabulary is known. Knows the format; knows no model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from policy.backbones.llama import LlamaShape
from policy.backbones.subwords import byte_level

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Pieces

# llama.cpp's names of a block's parts and ours.
PARTS = {
    "attn_norm": "before_attention", "ffn_norm": "before_mlp", "attn_q": "query",
    "attn_k": "key", "attn_v": "value", "attn_output": "out", "ffn_gate": "gate",
    "ffn_up": "up", "ffn_down": "down"}
TOP = {"token_embd.weight": "word.weight", "output_norm.weight": "last.weight"}
CONTROL = 3                     # token type of what no text contains


class Converted(NamedTuple):
    """What a file was made into: weights, tokenizer, and the numbers of the network."""

    weights: Path
    pieces: Path
    shape: LlamaShape


def converted(path: Path, kept: Path) -> Converted:
    """The model of a file, read only if the folder `kept` does not hold it yet.

    Raises:
        ValueError: if it is no Llama with a GPT-2 style vocabulary, naming what it is.
    """
    answer = Converted(kept / "weights.safetensors", kept / "tokenizer.json", LlamaShape(
        width=0, blocks=0, heads=1, key_heads=1, mlp_width=0, vocabulary=0))
    numbers = kept / "shape.json"       # written last: where it stands the others do too
    if not numbers.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        _convert(path, answer.weights, answer.pieces, numbers)
    return answer._replace(shape=msgspec.json.decode(numbers.read_bytes(), type=LlamaShape))


def _convert(path: Path, weights: Path, pieces: Path, numbers: Path) -> None:
    from gguf import GGUFReader
    from gguf.quants import dequantize

    file = GGUFReader(path)
    shape = shape_of({name: field.contents() for name, field in file.fields.items()
                      if name.startswith(("llama.", "general.arch", "tokenizer.ggml.model"))},
                     file.fields["tokenizer.ggml.tokens"].contents())
    ours: dict[str, Tensor] = {}
    for tensor in file.tensors:
        array = dequantize(tensor.data, tensor.tensor_type)
        name = our_name(tensor.name)
        if name.endswith(("query.weight", "key.weight")):
            array = halves_apart(array, shape.head_width)
        ours[name] = torch.from_numpy(array.astype(np.float16))
    _whole(weights, lambda part: save_file(ours, part))
    _whole(pieces, lambda part: _pieces(file).save(str(part)))
    _whole(numbers, lambda part: part.write_bytes(msgspec.json.encode(shape)))


def _whole(path: Path, write: Any) -> None:
    """Write beside it, then rename, so that a file of this name is a whole one."""
    part = path.with_suffix(".partial")
    write(part)
    part.replace(path)


def our_name(name: str) -> str:
    """Name of a tensor in a `policy.backbones.llama.Llama`.

    Raises:
        ValueError: for one that a Llama does not have.
    """
    if name in TOP:
        return TOP[name]
    block = name.split(".")
    if len(block) == 4 and block[0] == "blk" and block[2] in PARTS and block[3] == "weight":
        return f"body.{block[1]}.{PARTS[block[2]]}.weight"
    raise ValueError(f"a Llama has no tensor {name!r}")


def halves_apart(array: np.ndarray, head_width: int) -> np.ndarray:
    """Rows of queries or keys, (out, in), from llama.cpp's order to ours.

    There number 2i of a head turns with number 2i + 1, here number i with number i + half.
    """
    heads = array.shape[0] // head_width
    pairs = array.reshape(heads, head_width // 2, 2, -1)
    return pairs.swapaxes(1, 2).reshape(array.shape)


def shape_of(fields: Mapping[str, Any], tokens: list[str]) -> LlamaShape:
    """The numbers of a network from a file's fields.

    Raises:
        ValueError: if it is no Llama with a GPT-2 style vocabulary, naming what it is.
    """
    kind, words = fields["general.architecture"], fields["tokenizer.ggml.model"]
    if (kind, words) != ("llama", "gpt2"):
        raise ValueError(f"only Llamas with a gpt2 vocabulary can be read, not {kind} with {words}")
    return LlamaShape(
        width=fields["llama.embedding_length"], blocks=fields["llama.block_count"],
        heads=fields["llama.attention.head_count"],
        key_heads=fields["llama.attention.head_count_kv"],
        mlp_width=fields["llama.feed_forward_length"], vocabulary=len(tokens),
        rope_base=fields["llama.rope.freq_base"],
        epsilon=fields["llama.attention.layer_norm_rms_epsilon"])


def _pieces(file: Any) -> "Pieces":
    # Not transformers' own conversion: for this model it takes spaces for the end of a text.
    tokens = file.fields["tokenizer.ggml.tokens"].contents()
    kinds = file.fields["tokenizer.ggml.token_type"].contents()
    return byte_level(tokens, file.fields["tokenizer.ggml.merges"].contents(),
                      [token for token, kind in zip(tokens, kinds, strict=True)
                       if kind == CONTROL])
