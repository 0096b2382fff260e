"""Where a vision-language model comes from: a folder, the hub, or the numbers of a configuration.

The shapes of three models that policies are built on stand here, so that their speed can be
measured, and their code tested at a fraction of the size, without their weights. Knows the library
transformers, which is imported only when a model is made.
"""

from collections.abc import Mapping
from typing import Any

import torch

from policy.backbones.byte_tokenizer import ByteTokenizer
from policy.backbones.interface import Tokenizer
from policy.backbones.lora import Learns, freeze, restrict
from policy.backbones.packages import MissingPackage
from policy.backbones.subwords import SubwordTokenizer
from policy.backbones.vlm import FusedSight, PaliGemmaSight, SmolVlmSight, Vlm

# Linear layers of a decoder's block, as Llama, Gemma, Qwen and Mistral all call them.
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

KINDS = ("smolvlm", "paligemma", "llama")
SMOLVLM2 = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct"
PALIGEMMA = "google/paligemma-3b-pt-224"

SMOLVLM2_NUMBERS: dict[str, Any] = {
    "model_type": "smolvlm", "scale_factor": 4,
    "vision_config": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
                      "num_attention_heads": 12, "image_size": 512, "patch_size": 16},
    "text_config": {"model_type": "llama", "hidden_size": 960, "intermediate_size": 2560,
                    "num_hidden_layers": 32, "num_attention_heads": 15, "num_key_value_heads": 5,
                    "head_dim": 64, "vocab_size": 49280, "rope_theta": 100000.0}}
PALIGEMMA_NUMBERS: dict[str, Any] = {
    "model_type": "paligemma", "projection_dim": 2048,
    "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 1152,
                      "intermediate_size": 4304, "num_hidden_layers": 27,
                      "num_attention_heads": 16, "image_size": 224, "patch_size": 14,
                      "vision_use_head": False},
    "text_config": {"model_type": "gemma", "hidden_size": 2048, "intermediate_size": 16384,
                    "num_hidden_layers": 18, "num_attention_heads": 8, "num_key_value_heads": 1,
                    "head_dim": 256, "vocab_size": 257216}}
# Llama 2 7B behind DINOv2-L/14 and SigLIP-So400m/14: Prismatic, OpenVLA and FiS-VLA.
PRISMATIC_NUMBERS: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
    "vocab_size": 32064,
    "towers": [
        {"model_type": "dinov2", "hidden_size": 1024, "num_hidden_layers": 24,
         "num_attention_heads": 16, "image_size": 224, "patch_size": 14},
        {"model_type": "siglip_vision_model", "hidden_size": 1152, "intermediate_size": 4304,
         "num_hidden_layers": 27, "num_attention_heads": 16, "image_size": 224, "patch_size": 14,
         "vision_use_head": False}]}


def vlm(model: str | Mapping[str, Any], *, towers: str | None = None,
        learns: Learns | None = None, rank: int = 16, dtype: str = "float32", device: str = "cpu"
        ) -> Vlm:
    """A backbone.

    Args:
        model: local folder or name on the hub, or the numbers of a configuration (its
            "model_type" says which: smolvlm, paligemma, or llama with "towers"), which gets random
            weights and reads bytes.
        towers: for a Llama by folder or name: folder or name of its vision transformer.
        learns: what of the decoder: "adapters" of this rank on its linear layers, or "all", which
            random weights always do. Pretrained vision transformers stay as they are.
        rank: of the adapters.
        dtype, device: of the weights, e.g. "bfloat16" and "cuda".

    Raises:
        MissingPackage: if transformers is not installed.
        ValueError: for a kind of model that is not known, naming those that are, or adapters of
            random weights.
        OSError: if there is no such model.
    """
    _wanted("transformers")
    kind = _kind(model)
    if isinstance(model, str):
        whole, tokenizer = _loaded(model, kind)
    else:
        whole, tokenizer = _made(model, device, dtype), ByteTokenizer()
    if kind == "smolvlm":
        text, sight = whole.model.text_model, SmolVlmSight(whole.model)
    elif kind == "paligemma":
        text, sight = whole.model.language_model, PaliGemmaSight(whole.model)
    else:
        text = whole.model
        sight = FusedSight(_towers(model, towers, device, dtype), whole.config.hidden_size)
    backbone = Vlm(text, whole.lm_head, sight, tokenizer).to(device, getattr(torch, dtype))
    if not isinstance(model, str):
        if learns == "adapters":
            raise ValueError("random weights are nothing to adapt: let all of them learn")
        return backbone         # all of it goes into a checkpoint, for it comes from nowhere else
    freeze(sight.tower)
    beside = [part for part in (backbone.word, backbone.head) if part is not None]
    restrict(backbone.body, beside, LINEAR, learns or "adapters", rank)
    return backbone


def _wanted(package: str) -> None:
    try:
        __import__(package)
    except ModuleNotFoundError as missing:
        raise MissingPackage(
            f"the package {missing.name} is not installed: uv pip install 'transformers>=5.4,<5.6'"
        ) from missing


def _kind(model: str | Mapping[str, Any]) -> str:
    from transformers import AutoConfig

    kind = AutoConfig.from_pretrained(model).model_type if isinstance(model, str) \
        else model["model_type"]
    if kind not in KINDS:
        raise ValueError(f"a model of kind {kind!r} cannot be a backbone: "
                         f"choose {', '.join(KINDS)}")
    return kind


def _made(numbers: Mapping[str, Any], device: str, dtype: str) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    rest = {name: value for name, value in numbers.items() if name not in ("model_type", "towers")}
    config = AutoConfig.for_model(numbers["model_type"], **rest)
    factory = AutoModelForCausalLM if config.model_type == "llama" else AutoModelForImageTextToText
    with torch.device(device):      # seven billion numbers are drawn where they are wanted
        return factory.from_config(config, dtype=getattr(torch, dtype), attn_implementation="sdpa")


def _loaded(model: str, kind: str) -> tuple[Any, Tokenizer]:
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

    factory = AutoModelForCausalLM if kind == "llama" else AutoModelForImageTextToText
    whole = factory.from_pretrained(model, attn_implementation="sdpa")
    return whole, tokenizer_of(AutoTokenizer.from_pretrained(model))


def tokenizer_of(theirs: Any) -> SubwordTokenizer:
    """Ours from one of transformers.

    Raises:
        ValueError: if it has no beginning or no end.
    """
    begin, end = theirs.bos_token_id, theirs.eos_token_id
    if begin is None or end is None:
        raise ValueError("a tokenizer without tokens for the beginning and end of a text is of no "
                         "use here")
    # Padding that looks like the end would teach a policy never to stop.
    spare = [token for token in (theirs.pad_token_id, theirs.unk_token_id, 0)
             if token is not None and token not in (begin, end)]
    return SubwordTokenizer(theirs.backend_tokenizer, pad_id=spare[0], begin_id=begin, end_id=end)


def _towers(model: str | Mapping[str, Any], towers: str | None, device: str, dtype: str
            ) -> list[Any]:
    from transformers import AutoConfig, AutoModel

    if isinstance(model, str):
        if towers is None:
            raise ValueError("a Llama sees nothing by itself: say which vision transformer "
                             "(towers)")
        whole = AutoModel.from_pretrained(towers)
        return [getattr(whole, "vision_model", whole)]
    made = []
    for numbers in model["towers"]:
        rest = {name: value for name, value in numbers.items() if name != "model_type"}
        config = AutoConfig.for_model(numbers["model_type"], **rest)
        with torch.device(device):
            made.append(AutoModel.from_config(config, dtype=getattr(torch, dtype),
                                              attn_implementation="sdpa"))
    return made
