"""How fast both systems are at the sizes of published policies, with random weights.

Needs this checkout, torch and transformers, and no weights. For every size, in one run on one
device: System 2's prefill and one more word of its speech; System 1 with one and four flow steps;
and beside it Fast-in-Slow's own System 1 (arXiv 2506.01953, as its published code runs it: the
whole slow sequence, the whole vision towers on the fast frame, four denoising steps over kept keys;
without its point cloud, which favours it). Each eager, compiled, and as a CUDA graph where there is
a GPU. The limit of a figure is what reading the weights and multiplying would take at the memory
and matrix speeds measured here just before; small sizes stay in a cache and can beat it.

    python tests/bench/policy_speed.py --sizes 0.1b                             a processor
    python tests/bench/policy_speed.py --sizes 0.5b 3b 7b --device cuda         a GPU
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch import Tensor, nn

from policy.backbones.interface import Cache
from policy.backbones.vlm import Vlm
from policy.backbones.vlm_models import (
    PALIGEMMA_NUMBERS,
    PRISMATIC_NUMBERS,
    SMOLVLM2_NUMBERS,
    vlm,
)

OUT = Path("out/bench/policy_speed.json")
SHARED = 2                          # K, as Fast-in-Slow has it
WORDS, LATENTS, CONTEXT = 48, 32, 3     # instruction, Q, age + state + summary
ACTIONS, FIS_ACTIONS, FIS_STEPS = 16, 8, 4
EYE_WIDTH, EYE_BLOCKS, EYE_TOKENS = 384, 12, 64     # a ViT-S/16 on 128 pixels: 22 million

SMALL: dict[str, Any] = {           # SmolLM2-135M behind a ViT-Ti/16 on 128 pixels
    "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
    "towers": [{"model_type": "siglip_vision_model", "hidden_size": 192,
                "intermediate_size": 768, "num_hidden_layers": 12, "num_attention_heads": 3,
                "image_size": 128, "patch_size": 16, "vision_use_head": False}]}


class Size(NamedTuple):
    """A published policy's size: its numbers, and how many cameras it looks through."""

    numbers: dict[str, Any]
    cameras: int


SIZES = {"0.1b": Size(SMALL, 2), "0.5b": Size(SMOLVLM2_NUMBERS, 2),
         "3b": Size(PALIGEMMA_NUMBERS, 2), "7b": Size(PRISMATIC_NUMBERS, 1)}


class Work(NamedTuple):
    """One thing to time: what it does, how many weight bytes it reads, how much it multiplies."""

    name: str
    run: Callable[[], Tensor]
    read_bytes: float
    flops: float


class Machine(NamedTuple):
    """What the device can do at most, measured: bytes/s and flop/s."""

    bytes_per_s: float
    flops_per_s: float


def eye(device: str, dtype: torch.dtype) -> nn.Module:
    """The fast eye at this size: a vision transformer of 22 million numbers, tokens in and out."""
    layer = nn.TransformerEncoderLayer(EYE_WIDTH, 6, 4 * EYE_WIDTH, dropout=0, batch_first=True,
                                       norm_first=True, activation="gelu")
    return nn.TransformerEncoder(layer, EYE_BLOCKS, enable_nested_tensor=False) \
        .eval().to(device, dtype)


def numel(*modules: nn.Module) -> int:
    """Numbers in these modules."""
    return sum(weight.numel() for module in modules
               for weight in [*module.parameters(), *module.buffers()])


def works(backbone: Vlm, cameras: int, device: str, dtype: torch.dtype) -> list[Work]:
    """What is timed at one size."""
    d, blocks, first = backbone.width, backbone.blocks, backbone.blocks - SHARED
    bytes_each = torch.empty(0, dtype=dtype).element_size()

    def fresh(*shape: int) -> Tensor:
        return torch.randn(*shape, device=device, dtype=dtype)

    pictures = torch.rand(1, cameras, 3, 224, 224, device=device)
    ids = torch.randint(3, 200, (1, WORDS), device=device)
    queries, word = fresh(1, LATENTS, d), ids[:, :1]
    look, patches = eye(device, dtype), fresh(1, EYE_TOKENS, EYE_WIDTH)
    eye_in = nn.Linear(EYE_WIDTH, d).to(device, dtype)
    latents, near = fresh(1, LATENTS, d), fresh(1, CONTEXT, d)
    actions, fis_actions = fresh(1, ACTIONS, d), fresh(1, 1 + FIS_ACTIONS, d)

    def system_2() -> Tensor:
        x = torch.cat([backbone.embed_text(ids), backbone.embed_images(pictures), queries], 1)
        return backbone.run(x, 0, first)[0][:, -LATENTS:]

    seen = backbone.embed_images(pictures)
    prompt = torch.cat([backbone.embed_text(ids), seen, queries], 1)
    cache = backbone.run(prompt, 0, blocks)[1]

    def one_word() -> Tensor:
        return backbone.words(backbone.run(backbone.embed_text(word), 0, blocks, cache)[0])

    def system_1(steps: int) -> Callable[[], Tensor]:
        def run() -> Tensor:
            tokens = torch.cat([latents, eye_in(look(patches)), near], 1)
            _, kept = backbone.run(tokens, first, blocks)
            return euler(backbone, actions, kept, first, steps)
        return run

    def fis() -> Tensor:
        fast = backbone.embed_images(pictures[:, :1])
        _, kept = backbone.run(torch.cat([prompt[:, :-LATENTS], fast], 1), first, blocks)
        return euler(backbone, fis_actions, kept, first, FIS_STEPS)

    block = numel(backbone.body) / blocks
    sight = numel(backbone.sight)
    head = backbone.word.weight.numel()
    tail, eyes = SHARED * block, numel(look, eye_in)
    per_picture = picture_tokens(backbone)
    context = LATENTS + EYE_TOKENS + CONTEXT
    fis_context = prompt.shape[1] - LATENTS + seen.shape[1] // cameras
    found = [
        Work("System 2 prefill", system_2, sight + first * block,
             2 * (cameras * sight * per_picture + first * block * prompt.shape[1])),
        Work("System 2 one word", one_word, blocks * block + head, 2 * (blocks * block + head))]
    for steps in (1, 4):
        found.append(Work(
            f"System 1, {steps} step{'s' * (steps > 1)}", system_1(steps),
            eyes + (1 + steps) * tail,
            2 * (eyes * EYE_TOKENS + tail * (context + steps * ACTIONS))))
    found.append(Work(
        "Fast-in-Slow System 1, 4 steps", fis, sight + (1 + FIS_STEPS) * tail,
        2 * (sight * per_picture + tail * (fis_context + FIS_STEPS * (1 + FIS_ACTIONS)))))
    return [work._replace(read_bytes=bytes_each * work.read_bytes) for work in found]


def euler(backbone: Vlm, x: Tensor, kept: Cache, first: int, steps: int) -> Tensor:
    """Denoising steps over the kept keys and values of a context."""
    for _ in range(steps):
        x = x + backbone.run(x, first, backbone.blocks, kept)[0] / steps
    return x


def picture_tokens(backbone: Vlm) -> int:
    """Patches that a vision tower makes of a picture."""
    tower = next((module for module in backbone.sight.tower.modules()
                  if hasattr(getattr(module, "config", None), "patch_size")), None)
    assert tower is not None, "a vision tower says how large its patches are"
    return (backbone.sight.side // int(tower.config.patch_size)) ** 2   # type: ignore[union-attr]


def measured(device: str, dtype: torch.dtype) -> Machine:
    """Memory and matrix speed, the best of several tries."""
    side, many = (8192, 2**30) if device == "cuda" else (1536, 2**28)
    block = torch.ones(many // 4, device=device)                    # reads many bytes, f4
    square = torch.randn(side, side, device=device, dtype=dtype)
    reading = min(timed(lambda: block.sum(), device, 8))
    squaring = min(timed(lambda: square @ square, device, 8))
    return Machine(many / reading, 2 * side**3 / squaring)


def timed(run: Callable[[], Tensor], device: str, times: int) -> list[float]:
    """Seconds of each of so many runs, after three that do not count."""
    seconds = []
    for number in range(times + 3):
        synchronise(device)
        begun = time.perf_counter()
        run()
        synchronise(device)
        if number >= 3:
            seconds.append(time.perf_counter() - begun)
    return seconds


def synchronise(device: str) -> None:
    """Wait until the device has done all that it was told."""
    if device == "cuda":
        torch.cuda.synchronize()


def as_graph(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The same work as a CUDA graph: launched at once."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answer = run()

    def replay() -> Tensor:
        graph.replay()
        return answer
    return replay


MODES: dict[str, Callable[[Callable[[], Tensor]], Callable[[], Tensor]]] = {
    "eager": lambda run: run, "compiled": torch.compile, "graph": as_graph}


def main() -> None:
    """Measure, print a table, and leave a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["0.1b"])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--modes", nargs="+", choices=MODES)
    parser.add_argument("--times", type=int, default=30, help="runs of each figure")
    parser.add_argument("--threads", type=int, default=1, help="of a processor")
    chosen = parser.parse_args()
    device, modes = chosen.device, chosen.modes or (
        list(MODES) if chosen.device == "cuda" else ["eager"])
    torch.set_num_threads(chosen.threads)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    name = torch.cuda.get_device_name() if device == "cuda" else \
        f"{platform.processor() or platform.machine()}, {chosen.threads} thread(s)"
    rows: list[dict[str, Any]] = []
    with torch.inference_mode():
        machine = measured(device, dtype)
        print(f"{name}, torch {torch.__version__}, {dtype}; memory {machine.bytes_per_s / 1e9:.0f} "
              f"GB/s, matrices {machine.flops_per_s / 1e12:.2f} Tflop/s, both measured; load "
              f"{os.getloadavg()[0]:.1f}; {chosen.times} runs each")
        print(f"{'size':5} {'what':31} {'how':9} {'median ms':>9} {'p5-p95 ms':>15} "
              f"{'per s':>8} {'limit ms':>8} {'share':>6}")
        for size in chosen.sizes:
            numbers, cameras = SIZES[size]
            backbone = vlm(numbers, dtype=str(dtype).removeprefix("torch."), device=device).eval()
            for work in works(backbone, cameras, device, dtype):
                limit = max(work.read_bytes / machine.bytes_per_s, work.flops / machine.flops_per_s)
                for mode in modes:
                    run = MODES[mode](work.run)
                    seconds = sorted(timed(run, device, chosen.times))
                    rows.append(row := {
                        "size": size, "parameters": numel(backbone), "what": work.name,
                        "how": mode, "median_ms": 1e3 * statistics.median(seconds),
                        "p5_ms": 1e3 * seconds[len(seconds) // 20],
                        "p95_ms": 1e3 * seconds[-1 - len(seconds) // 20],
                        "limit_ms": 1e3 * limit})
                    show(row)
            del backbone
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({
        "command": " ".join(sys.argv), "machine": name, "torch": torch.__version__,
        "dtype": str(dtype), "load": os.getloadavg()[0], "runs": chosen.times,
        "bytes_per_s": machine.bytes_per_s, "flops_per_s": machine.flops_per_s,
        "rows": rows}, indent=1))
    print(f"written to {OUT}")


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    spread = f"{row['p5_ms']:.2f}-{row['p95_ms']:.2f}"
    print(f"{row['size']:5} {row['what']:31} {row['how']:9} {row['median_ms']:9.2f} {spread:>15} "
          f"{1e3 / row['median_ms']:8.1f} {row['limit_ms']:8.2f} "
          f"{row['limit_ms'] / row['median_ms']:6.0%}", flush=True)


if __name__ == "__main__":
    main()
