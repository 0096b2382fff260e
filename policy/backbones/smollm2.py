"""SmolLM2-135M as the transformer: a language model that a processor can run and adapt.

(Allal et al., arXiv 2502.02737.) Its weights come in a pinned package of 98 MB; see packages.py.
They stay as they are; low-rank adapters, norms, the picture stem and whatever the policy adds are
what learns, and all that a checkpoint holds. Knows no training.
"""

from pathlib import Path

import msgspec
from platformdirs import user_cache_path
from safetensors.torch import load_file

from policy.backbones.gguf_file import converted
from policy.backbones.llama import Llama
from policy.backbones.lora import Learns, restrict
from policy.backbones.packages import SMOLLM2, locate
from policy.backbones.subwords import SubwordTokenizer

LINEAR = ("query", "key", "value", "out", "gate", "up", "down")
PAD, BEGIN, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"


def smollm2(picture_size: tuple[int, int], cameras: int, *, blocks: int = 30,
            learns: Learns = "adapters", rank: int = 8, keep_in: Path | None = None) -> Llama:
    """The backbone with its pretrained weights.

    Args:
        picture_size: (height, width) in pixels, multiples of 32.
        cameras: V.
        blocks: use the first so many of its 30 blocks; the last ones of a language model are for
            choosing among 49,152 tokens, and SmolVLA (arXiv 2506.01844) leaves out half.
        learns: "adapters" for LoRA of this rank on every linear layer, or "all" of its weights.
        rank: of the adapters.
        keep_in: folder for the converted file; by default the user's cache.

    Raises:
        MissingPackage: if its package is not installed.
        ValueError: if the package holds something else, or there are not so many blocks.
    """
    source = locate(SMOLLM2)
    from tokenizers import Tokenizer as Pieces

    kept = (keep_in or user_cache_path("tandem-studio")) / f"smollm2-{SMOLLM2.sha256[:12]}"
    model = converted(source, kept)
    if not 1 <= blocks <= model.shape.blocks:
        raise ValueError(f"SmolLM2-135M has 1 to {model.shape.blocks} blocks, not {blocks}")
    pieces = Pieces.from_file(str(model.pieces))
    words = SubwordTokenizer(pieces, pad_id=pieces.token_to_id(PAD),
                             begin_id=pieces.token_to_id(BEGIN), end_id=pieces.token_to_id(END))
    backbone = Llama(msgspec.structs.replace(model.shape, blocks=blocks), words,
                     picture_size, cameras)
    weights = {name: weight.float() for name, weight in load_file(model.weights).items()
               if not name.startswith("body.") or int(name.split(".")[1]) < blocks}
    missing, extra = backbone.load_state_dict(weights, strict=False)
    if extra or any(not name.startswith("eyes.") for name in missing):
        raise ValueError(f"{kept} is not a whole model: delete this folder and try again")
    restrict(backbone.body, [backbone.word], LINEAR, learns, rank)
    return backbone
